import { randomUUID } from 'node:crypto';
import { clashError, distinctTenants } from '../clashes.js';
import { toJson } from '../keepable.js';
import type { NewTenant, Registry } from '../registry.js';
import type { Row } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { isDuplicate } from './failures.js';
import { inputTable, listIds, toInputRows } from './json.js';
import { lockTenants, setInput } from './lock.js';
import { logEvents } from './log-events.js';
import { TENANT_COLUMNS, type TenantRow, toTenant } from './rows.js';
import type { Statement } from './session.js';

/** Each attempt loses only to a competitor that has come through, and each tenant has few of those. */
const ATTEMPTS = 10;

export function createTenantRegister(db: RegistryConnection): Pick<Registry, 'registerTenants' | 'refuseClashes'> {
  return {
    registerTenants: async (tenants) => {
      const rows = await register(db, distinctTenants(tenants));
      return tenants.map(({ id, operation }) => {
        const row = rows.get(id);
        if (row === undefined) throw new Error(`the registry gave no answer for ${id}`);
        // By the operation, not by what was written just now: the answer may have been lost and the statements sent again.
        return { tenant: toTenant(row), isNew: row.home_operation_id === operation.id };
      });
    },
    refuseClashes: async (tenants) => {
      await throwClash(db, toInputRows(distinctTenants(tenants).map(toInput)));
    },
  };
}

async function register(db: RegistryConnection, tenants: readonly NewTenant[]): Promise<Map<string, TenantRow>> {
  const ids = tenants.map(({ id }) => id);
  const input = toInputRows(tenants.map(toInput));
  const statements = [
    setInput(input),
    lockTenants(ids),
    ...planRegister(randomUUID(), db.actor),
    { sql: `SELECT ${TENANT_COLUMNS} FROM tenancy_tenants t WHERE t.id IN (?)`, params: [listIds(ids)] },
  ];
  for (let attempt = 1; ; attempt++) {
    try {
      const rows = ((await db.transact(statements)).at(-1) ?? []) as readonly TenantRow[];
      return new Map(rows.map((row) => [row.id, row]));
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      await throwClash(db, input);
      // No one is in the way any more, or it was the same id, entered at the same moment.
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

function toInput(tenant: NewTenant): Record<string, unknown> {
  const { id, cluster, driver, name, operation } = tenant;
  return {
    id,
    cluster,
    driver,
    name,
    labels: toJson(tenant.labels),
    credential_ref: tenant.credentialRef ?? null,
    operation: toJson(operation),
    operation_id: operation.id,
  };
}

interface ClashRow extends Row {
  readonly id: string;
  readonly taken_by: string;
  readonly cluster: string;
  readonly name: string;
  readonly is_id: number;
}

async function throwClash(db: RegistryConnection, input: string): Promise<void> {
  const answers = await db.transact([setInput(input), { sql: CLASH }]);
  const clash = answers.at(-1)?.[0] as ClashRow | undefined;
  if (clash !== undefined) throw clashError({ ...clash, isOfId: clash.is_id === 1, takenBy: clash.taken_by });
}

const INPUT = inputTable({
  id: 'id',
  cluster: 'text',
  driver: 'text',
  name: 'text',
  labels: 'text',
  credential_ref: 'text',
  operation: 'text',
  operation_id: 'text',
});

/**
 * The unique indexes decide every race: who loses one is told so (1062), rolls all back and looks again.
 * A row that was there and isn't deprovisioned stays as it is.
 */
function planRegister(change: string, actor: string | null): readonly Statement[] {
  return [
    ...logEvents(actor, change, {
      sql: `SELECT NULL AS run_id, i.id AS tenant, 'tenant.registered' AS type,
               JSON_MERGE_PRESERVE(JSON_OBJECT('incarnation', COALESCE(t.incarnation, 0) + 1, 'cluster', i.cluster, 'driver', i.driver, 'name', i.name),
                 CONCAT('{"operation":', i.operation, '}')) AS data
          FROM ${INPUT} LEFT JOIN tenancy_tenants t ON t.id = i.id
         WHERE t.id IS NULL OR t.status = 'deprovisioned'`,
    }),
    {
      sql: `UPDATE ${INPUT} STRAIGHT_JOIN tenancy_tenants t ON t.id = i.id SET
          t.status = 'pending', t.incarnation = t.incarnation + 1, t.cluster = i.cluster, t.driver = i.driver, t.name = i.name,
          t.labels = i.labels, t.is_protected = 0, t.schema_version = NULL, t.migrations_hash = NULL, t.credential_ref = i.credential_ref,
          t.login = NULL, t.last_error = NULL, t.operation = i.operation, t.home_operation_id = i.operation_id, t.change_id = ?,
          t.created_at = UTC_TIMESTAMP(6), t.updated_at = UTC_TIMESTAMP(6), t.activated_at = NULL, t.deprovisioned_at = NULL, t.retained_until = NULL
        WHERE t.status = 'deprovisioned'`,
      params: [change],
    },
    {
      sql: `INSERT INTO tenancy_tenants (id, status, cluster, driver, name, labels, credential_ref, operation, home_operation_id, change_id)
        SELECT i.id, 'pending', i.cluster, i.driver, i.name, i.labels, i.credential_ref, i.operation, i.operation_id, ?
          FROM ${INPUT} LEFT JOIN tenancy_tenants t ON t.id = i.id
         WHERE t.id IS NULL ORDER BY i.id`,
      params: [change],
    },
  ];
}

/** Two look-ups in an index for each tenant; those that are registered already are read back rather than refused. */
const CLASH = [
  { isId: 1, clashes: 't.id_lower = LOWER(i.id)' },
  { isId: 0, clashes: 't.cluster = i.cluster AND t.live_name = LOWER(i.name)' },
]
  .map(
    ({ isId, clashes }) => `
    SELECT i.id AS id, t.id AS taken_by, i.cluster AS cluster, i.name AS name, ${isId} AS is_id
      FROM ${INPUT} STRAIGHT_JOIN tenancy_tenants t ON ${clashes} AND t.id <> i.id
     WHERE NOT EXISTS (SELECT 1 FROM tenancy_tenants known WHERE known.id = i.id AND known.status <> 'deprovisioned')`,
  )
  .join(' UNION ALL ')
  .concat(' ORDER BY is_id DESC, id LIMIT 1');
