import { randomUUID } from 'node:crypto';
import { redact } from '../../util/redact.js';
import { toJson } from '../keepable.js';
import type { Registry, TenantChange } from '../registry.js';
import type { RegistryConnection } from './connection.js';
import { TENANT_COLUMNS, type TenantRow, toTenant } from './rows.js';

export function createChangeWriter(db: RegistryConnection): Pick<Registry, 'updateTenants' | 'forgetTenant'> {
  return {
    updateTenants: async (changes) => {
      if (new Set(changes.map(({ id }) => id)).size < changes.length) throw new Error('updateTenants was given the same tenant twice');
      const rows = await db.query<TenantRow>(UPDATE, [toJson(changes.map(toInput)), randomUUID(), db.actor]);
      return rows.map(toTenant);
    },
    forgetTenant: async (id, fence) => {
      const rows = await db.query(FORGET, [id, fence, randomUUID(), db.actor]);
      return rows.length > 0;
    },
  };
}

function toInput(change: TenantChange): Record<string, unknown> {
  const { lastError } = change.set ?? {};
  // Failures are promised to carry no secret; one that slipped through must not be kept.
  const set = lastError ? { ...change.set, lastError: { ...lastError, message: redact(lastError.message) } } : (change.set ?? {});
  return {
    id: change.id,
    fence: change.fence,
    from: change.from,
    if_protected: change.ifProtected ?? null,
    if_over: change.ifRetentionOver ?? false,
    to: change.to ?? null,
    set,
    run: change.runId,
    event: change.event,
  };
}

/** What is in `set` under a name, or else what the row has. */
function setOrKeep(name: string, column: string, read: string): string {
  return `${column} = CASE WHEN c.set ? '${name}' THEN ${read} ELSE t.${column} END`;
}

/**
 * Compare-and-set. The rows are locked first, in the order of ids, and compared as they are *then*: a row that another process changed while we
 * waited for it isn't matched. Sent again after a lost answer it knows its own work by `change_id`.
 */
const UPDATE = `
  WITH change AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS c(id text, fence bigint, "from" text[], if_protected boolean, if_over boolean, "to" text, set jsonb, run text, event text)
  ), locked AS (
    SELECT t.* FROM tenancy.tenants t JOIN change c ON c.id = t.id ORDER BY t.id FOR UPDATE OF t
  ), updated AS (
    UPDATE tenancy.tenants t SET
      status = coalesce(c."to", t.status),
      ${setOrKeep('isProtected', 'is_protected', `(c.set ->> 'isProtected')::boolean`)},
      ${setOrKeep('labels', 'labels', `c.set -> 'labels'`)},
      ${setOrKeep('schemaVersion', 'schema_version', `c.set ->> 'schemaVersion'`)},
      ${setOrKeep('migrationsHash', 'migrations_hash', `c.set ->> 'migrationsHash'`)},
      ${setOrKeep('lastError', 'last_error', `nullif(c.set -> 'lastError', 'null')`)},
      ${setOrKeep('operation', 'operation', `nullif(c.set -> 'operation', 'null')`)},
      ${setOrKeep('credentialRef', 'credential_ref', `c.set ->> 'credentialRef'`)},
      ${setOrKeep('login', 'login', `nullif(c.set -> 'login', 'null')`)},
      retained_until = CASE WHEN c.set ? 'retainForMs' THEN clock_timestamp() + (c.set ->> 'retainForMs')::float8 * interval '1 ms' ELSE t.retained_until END,
      activated_at = CASE WHEN c."to" = 'active' THEN coalesce(t.activated_at, clock_timestamp()) ELSE t.activated_at END,
      deprovisioned_at = CASE WHEN c."to" = 'deprovisioned' THEN clock_timestamp() ELSE t.deprovisioned_at END,
      updated_at = clock_timestamp(),
      change_id = $2::uuid
      FROM change c JOIN locked l ON l.id = c.id
     WHERE t.id = c.id AND l.change_id IS DISTINCT FROM $2::uuid AND l.status = ANY (c."from") AND (c.fence IS NULL OR c.fence = l.fence)
       AND (c.if_protected IS NULL OR c.if_protected = l.is_protected) AND (NOT c.if_over OR l.retained_until <= clock_timestamp())
    RETURNING t.*
  ), logged AS (
    INSERT INTO tenancy.events (run_id, tenant, type, data, change_id, actor)
    SELECT c.run, u.id, c.event,
           CASE WHEN u.status <> l.status THEN jsonb_build_object('from', l.status, 'to', u.status) ELSE '{}' END
             || CASE WHEN c.set <> '{}' THEN jsonb_build_object('set', c.set) ELSE '{}' END
             || CASE WHEN l.lease_host IS NOT NULL THEN jsonb_build_object('host', l.lease_host) ELSE '{}' END,
           $2::uuid, $3::jsonb
      FROM updated u JOIN change c ON c.id = u.id JOIN locked l ON l.id = u.id ORDER BY u.id
  )
  SELECT ${TENANT_COLUMNS} FROM (SELECT * FROM updated UNION ALL SELECT * FROM locked WHERE change_id = $2::uuid) t ORDER BY t.id`;

/** A later life of an id goes back to being deprovisioned: what was before it stays known. */
const FORGET = `
  WITH locked AS (
    SELECT * FROM tenancy.tenants WHERE id = $1 AND fence = $2 AND status IN ('pending', 'provisioning', 'failed') FOR UPDATE
  ), deleted AS (
    DELETE FROM tenancy.tenants t USING locked l WHERE t.id = l.id AND l.incarnation = 1 RETURNING t.id
  ), reverted AS (
    UPDATE tenancy.tenants t SET status = 'deprovisioned', operation = NULL, last_error = NULL,
           deprovisioned_at = clock_timestamp(), updated_at = clock_timestamp(),
           lease_owner = NULL, lease_host = NULL, lease_since = NULL, lease_expires_at = NULL
      FROM locked l WHERE t.id = l.id AND l.incarnation > 1 RETURNING t.id
  ), forgotten AS (SELECT id FROM deleted UNION ALL SELECT id FROM reverted),
  logged AS (
    INSERT INTO tenancy.events (tenant, type, data, change_id, actor)
    SELECT f.id, 'tenant.forgotten', jsonb_build_object('from', l.status, 'incarnation', l.incarnation), $3::uuid, $4::jsonb
      FROM forgotten f JOIN locked l ON l.id = f.id
  )
  SELECT id FROM forgotten UNION ALL SELECT tenant FROM tenancy.events WHERE tenant = $1 AND change_id = $3::uuid`;
