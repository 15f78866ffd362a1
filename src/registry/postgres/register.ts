import { randomUUID } from 'node:crypto';
import { clashError, distinctTenants } from '../clashes.js';
import { toJson } from '../keepable.js';
import type { NewTenant, Registry } from '../registry.js';
import type { RegistryConnection } from './connection.js';
import { sqlStateOf } from './failures.js';
import { TENANT_COLUMNS, type TenantRow, toTenant } from './rows.js';

/** Each attempt loses only to a competitor that has come through, and each tenant has few of those. */
const ATTEMPTS = 10;

export function createTenantRegister(db: RegistryConnection): Pick<Registry, 'registerTenants' | 'refuseClashes'> {
  return {
    registerTenants: async (tenants) => {
      const wanted = distinctTenants(tenants);
      const rows = await register(db, toJson(wanted.map(toInput)), wanted.length);
      return tenants.map(({ id, operation }) => {
        const row = rows.get(id);
        if (row === undefined) throw new Error(`the registry gave no answer for ${id}`);
        // By the operation, not by what the statement did: its answer may have been lost and the statement sent again.
        return { tenant: toTenant(row), isNew: row.home_operation_id === operation.id };
      });
    },
    refuseClashes: async (tenants) => {
      await throwClash(db, toJson(distinctTenants(tenants).map(toInput)));
    },
  };
}

async function register(db: RegistryConnection, input: string, count: number): Promise<Map<string, TenantRow>> {
  const change = randomUUID();
  for (let attempt = 1; ; attempt++) {
    try {
      const rows = await db.query<TenantRow>(REGISTER, [input, change, db.actor]);
      const isComplete = rows.length === count && rows.every((row) => row.status !== 'deprovisioned');
      // Else another process registered one of them after this statement's snapshot: the next one sees it.
      if (isComplete || attempt === ATTEMPTS) return new Map(rows.map((row) => [row.id, row]));
    } catch (error) {
      if (sqlStateOf(error) !== '23505') throw error;
      await throwClash(db, input);
      // No one is in the way any more, or it was the same id, entered at the same moment.
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

function toInput(tenant: NewTenant): Record<string, unknown> {
  return {
    id: tenant.id,
    cluster: tenant.cluster,
    driver: tenant.driver,
    name: tenant.name,
    labels: tenant.labels,
    credential_ref: tenant.credentialRef ?? null,
    operation: tenant.operation,
  };
}

async function throwClash(db: RegistryConnection, input: string): Promise<void> {
  const [clash] = await db.query<{ id: string; taken_by: string; cluster: string; name: string; is_id: boolean }>(CLASH, [input]);
  if (clash !== undefined) throw clashError({ ...clash, isOfId: clash.is_id, takenBy: clash.taken_by });
}

const INPUT = `jsonb_to_recordset($1::jsonb) AS i
  (id text, cluster text, driver text, name text, labels jsonb, credential_ref text, operation jsonb)`;

/** The unique indexes decide every race. A row that was there and isn't deprovisioned stays as it is, and is read back. */
const REGISTER = `
  WITH input AS (SELECT * FROM ${INPUT}),
  written AS (
    INSERT INTO tenancy.tenants AS t
      (id, status, cluster, driver, name, labels, credential_ref, operation, home_operation_id, change_id)
    SELECT id, 'pending', cluster, driver, name, labels, credential_ref, operation, operation ->> 'id', $2::uuid FROM input ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
      status = 'pending', incarnation = t.incarnation + 1, cluster = excluded.cluster, driver = excluded.driver, name = excluded.name,
      labels = excluded.labels, is_protected = false, schema_version = NULL, migrations_hash = NULL, credential_ref = excluded.credential_ref,
      login = NULL, last_error = NULL, operation = excluded.operation, home_operation_id = excluded.home_operation_id, change_id = excluded.change_id,
      created_at = clock_timestamp(), updated_at = clock_timestamp(), activated_at = NULL, deprovisioned_at = NULL, retained_until = NULL
      WHERE t.status = 'deprovisioned'
    RETURNING t.*
  ), logged AS (
    INSERT INTO tenancy.events (tenant, type, data, change_id, actor)
    SELECT id, 'tenant.registered', jsonb_build_object('incarnation', incarnation, 'cluster', cluster, 'driver', driver, 'name', name,
             'operation', operation), $2::uuid, $3::jsonb
      FROM written ORDER BY id
  )
  SELECT ${TENANT_COLUMNS} FROM (
    SELECT * FROM written
    UNION ALL
    SELECT known.* FROM tenancy.tenants known JOIN input i ON i.id = known.id WHERE NOT EXISTS (SELECT FROM written w WHERE w.id = known.id)
  ) t`;

const CLASH = `
  SELECT i.id, t.id AS taken_by, i.cluster, i.name, lower(t.id) = lower(i.id) AS is_id
    FROM ${INPUT}
    JOIN tenancy.tenants t ON t.id <> i.id
     AND (lower(t.id) = lower(i.id) OR (t.cluster = i.cluster AND lower(t.name) = lower(i.name) AND t.status <> 'deprovisioned'))
   WHERE NOT EXISTS (SELECT FROM tenancy.tenants known WHERE known.id = i.id AND known.status <> 'deprovisioned')
   ORDER BY is_id DESC, i.id LIMIT 1`;
