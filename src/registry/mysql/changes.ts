import { randomUUID } from 'node:crypto';
import { redact } from '../../util/redact.js';
import { toJson } from '../keepable.js';
import type { Registry, TenantChange } from '../registry.js';
import type { RegistryConnection } from './connection.js';
import { inputTable, listIds, toInputRows, toJsonOrNull } from './json.js';
import { NO_LEASE } from './leases.js';
import { lockTenants, setInput } from './lock.js';
import { logEvents } from './log-events.js';
import { TENANT_COLUMNS, type TenantRow, toTenant } from './rows.js';
import type { Statement, Value } from './session.js';

export function createChangeWriter(db: RegistryConnection): Pick<Registry, 'updateTenants' | 'forgetTenant'> {
  return {
    updateTenants: async (changes) => {
      if (new Set(changes.map(({ id }) => id)).size < changes.length) throw new Error('updateTenants was given the same tenant twice');
      const rows = (await db.transact(planUpdate(changes, randomUUID(), db.actor))).at(-1) as readonly TenantRow[];
      return rows.map(toTenant);
    },
    forgetTenant: async (id, fence) => {
      const rows = (await db.transact(planForget(id, fence, randomUUID(), db.actor))).at(-1) ?? [];
      return rows.length > 0;
    },
  };
}

/** What `set` may name, by its column. */
const SETTABLE = {
  isProtected: 'is_protected',
  labels: 'labels',
  schemaVersion: 'schema_version',
  migrationsHash: 'migrations_hash',
  lastError: 'last_error',
  operation: 'operation',
  credentialRef: 'credential_ref',
  login: 'login',
} as const;

function toInput(change: TenantChange): Record<string, unknown> {
  const { lastError } = change.set ?? {};
  // Failures are promised to carry no secret; one that slipped through must not be kept.
  const set = lastError ? { ...change.set, lastError: { ...lastError, message: redact(lastError.message) } } : (change.set ?? {});
  const names = Object.keys(SETTABLE) as (keyof typeof SETTABLE)[];
  return {
    id: change.id,
    fence: change.fence,
    from_statuses: change.from.join(),
    if_protected: change.ifProtected === undefined ? null : Number(change.ifProtected),
    if_over: Number(change.ifRetentionOver ?? false),
    to_status: change.to ?? null,
    run: change.runId,
    event: change.event,
    data: Object.keys(set).length === 0 ? '{}' : toJson({ set }),
    sets: names.filter((name) => name in set && set[name] !== undefined).join(),
    is_protected: set.isProtected === undefined ? null : Number(set.isProtected),
    labels: toJsonOrNull(set.labels),
    schema_version: set.schemaVersion ?? null,
    migrations_hash: set.migrationsHash ?? null,
    last_error: toJsonOrNull(set.lastError),
    operation: toJsonOrNull(set.operation),
    credential_ref: set.credentialRef ?? null,
    login: toJsonOrNull(set.login),
    sets_retention: Number(set.retainForMs !== undefined),
    retain_ms: set.retainForMs === undefined || set.retainForMs === null ? null : Math.round(set.retainForMs),
  };
}

const INPUT = inputTable({
  id: 'id',
  fence: 'int',
  from_statuses: 'text',
  if_protected: 'int',
  if_over: 'int',
  to_status: 'text',
  run: 'text',
  event: 'text',
  data: 'text',
  sets: 'text',
  is_protected: 'int',
  labels: 'text',
  schema_version: 'text',
  migrations_hash: 'text',
  last_error: 'text',
  operation: 'text',
  credential_ref: 'text',
  login: 'text',
  sets_retention: 'int',
  retain_ms: 'int',
});

const MATCHES = `(t.change_id IS NULL OR t.change_id <> ?) AND FIND_IN_SET(t.status, i.from_statuses) > 0 AND (i.fence IS NULL OR i.fence = t.fence)
  AND (i.if_protected IS NULL OR i.if_protected = t.is_protected) AND (i.if_over = 0 OR t.retained_until <= UTC_TIMESTAMP(6))`;

/** What is in `set` under a name, or else what the row has. */
const SETS = Object.entries(SETTABLE)
  .map(([name, column]) => `t.${column} = CASE WHEN FIND_IN_SET('${name}', i.sets) > 0 THEN i.${column} ELSE t.${column} END`)
  .join(', ');

/**
 * Compare-and-set. The rows are locked first, and compared as they are *then*: a row that another process changed while we waited for it
 * isn't matched. The audit trail is written before the change, while the row still tells what was. Sent again after a lost answer it
 * matches nothing and knows its own work by `change_id`.
 */
function planUpdate(changes: readonly TenantChange[], change: string, actor: string | null): readonly Statement[] {
  const ids = changes.map(({ id }) => id);
  return [
    setInput(toInputRows(changes.map(toInput))),
    lockTenants(ids),
    ...logEvents(actor, change, {
      sql: `SELECT i.run AS run_id, t.id AS tenant, i.event AS type,
               JSON_MERGE_PRESERVE('{}',
                 CASE WHEN i.to_status <> t.status THEN JSON_OBJECT('from', t.status, 'to', i.to_status) ELSE '{}' END,
                 i.data,
                 CASE WHEN t.lease_host IS NOT NULL THEN JSON_OBJECT('host', t.lease_host) ELSE '{}' END) AS data
          FROM ${INPUT} STRAIGHT_JOIN tenancy_tenants t ON t.id = i.id WHERE ${MATCHES}`,
      params: [change],
    }),
    {
      sql: `UPDATE ${INPUT} STRAIGHT_JOIN tenancy_tenants t ON t.id = i.id SET
          ${SETS},
          t.retained_until = CASE WHEN i.sets_retention = 1 THEN UTC_TIMESTAMP(6) + INTERVAL i.retain_ms * 1000 MICROSECOND ELSE t.retained_until END,
          t.activated_at = CASE WHEN i.to_status = 'active' THEN COALESCE(t.activated_at, UTC_TIMESTAMP(6)) ELSE t.activated_at END,
          t.deprovisioned_at = CASE WHEN i.to_status = 'deprovisioned' THEN UTC_TIMESTAMP(6) ELSE t.deprovisioned_at END,
          t.updated_at = UTC_TIMESTAMP(6),
          t.status = COALESCE(i.to_status, t.status),
          t.change_id = ?
        WHERE ${MATCHES}`,
      params: [change, change],
    },
    {
      sql: `SELECT ${TENANT_COLUMNS} FROM tenancy_tenants t WHERE t.id IN (?) AND t.change_id = ? ORDER BY t.id`,
      params: [listIds(ids), change],
    },
  ];
}

const FORGETTABLE = `t.id IN (?) AND t.fence = ? AND t.status IN ('pending', 'provisioning', 'failed')`;

/** A later life of an id goes back to being deprovisioned: what was before it stays known. */
function planForget(id: string, fence: number, change: string, actor: string | null): readonly Statement[] {
  const params: readonly Value[] = [listIds([id]), fence];
  return [
    lockTenants([id]),
    ...logEvents(actor, change, {
      sql: `SELECT NULL AS run_id, t.id AS tenant, 'tenant.forgotten' AS type, JSON_OBJECT('from', t.status, 'incarnation', t.incarnation) AS data
              FROM tenancy_tenants t WHERE ${FORGETTABLE}`,
      params,
    }),
    { sql: `DELETE FROM tenancy_tenants WHERE ${FORGETTABLE.replaceAll('t.', '')} AND incarnation = 1`, params },
    {
      sql: `UPDATE tenancy_tenants t SET t.operation = NULL, t.last_error = NULL, t.deprovisioned_at = UTC_TIMESTAMP(6),
          t.updated_at = UTC_TIMESTAMP(6), ${NO_LEASE}, t.status = 'deprovisioned'
        WHERE ${FORGETTABLE} AND t.incarnation > 1`,
      params,
    },
    { sql: 'SELECT tenant FROM tenancy_events WHERE tenant = ? AND change_id = ?', params: [id, change] },
  ];
}
