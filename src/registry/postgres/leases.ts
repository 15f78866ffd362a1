import { randomUUID } from 'node:crypto';
import type { LeaseGrant, Registry } from '../registry.js';
import type { RegistryConnection } from './connection.js';
import { TENANT_COLUMNS, type TenantRow, toDate, toTenant } from './rows.js';

type GrantRow = Partial<TenantRow> & {
  readonly wanted: string;
  readonly is_granted: boolean;
  readonly is_known: boolean;
  readonly held_by: string | null;
  readonly held_at: string | null;
  readonly held_since: number | null;
  readonly held_ms: number | null;
};

/**
 * Leases are rows, so that they outlive a connection and pass through a PgBouncer, and expire by the server's clock, so that nobody has to unlock by hand.
 * Every statement here locks its rows in the order of ids: batches that overlap wait for each other and never deadlock.
 */
export function createLeaseKeeper(
  db: RegistryConnection,
): Pick<Registry, 'acquireLeases' | 'renewLeases' | 'releaseLeases' | 'breakLease'> {
  return {
    acquireLeases: async (ids, { owner, host, ttlMs }) => {
      const rows = await db.query<GrantRow>(ACQUIRE, [[...new Set(ids)], owner, host, ttlMs]);
      return rows.map(toGrant);
    },
    renewLeases: async (owner, ttlMs) => {
      const rows = await db.query<{ id: string }>(RENEW, [owner, ttlMs]);
      return rows.map(({ id }) => id);
    },
    releaseLeases: async (owner, ids) => {
      await db.query(RELEASE, [owner, ids]);
    },
    breakLease: async (id) => {
      const [row] = await db.query<{ owner: string; host: string; since: number }>(BREAK, [id, randomUUID(), db.actor]);
      return row === undefined ? null : { owner: row.owner, host: row.host, since: toDate(row.since) };
    },
  };
}

function toGrant(row: GrantRow): LeaseGrant {
  const { wanted: id } = row;
  if (row.is_granted) {
    const tenant = toTenant(row as unknown as TenantRow);
    return { id, status: 'granted', fence: tenant.fence, tenant };
  }
  if (!row.is_known) return { id, status: 'missing' };
  return {
    id,
    status: 'held',
    owner: row.held_by ?? '',
    host: row.held_at ?? '',
    since: toDate(row.held_since ?? 0),
    expiresInMs: Math.max(0, Math.ceil(row.held_ms ?? 0)),
  };
}

/** `clock_timestamp`, not `now`: the statement may have waited for a row, and a lease is promised from the moment it is given. */
const ACQUIRE = `
  WITH wanted AS (SELECT unnest($1::text[]) AS id),
  locked AS (
    SELECT t.id, t.lease_owner, t.lease_host, t.lease_since, t.lease_expires_at
      FROM tenancy.tenants t JOIN wanted w ON w.id = t.id ORDER BY t.id FOR UPDATE OF t
  ), granted AS (
    UPDATE tenancy.tenants t SET fence = nextval('tenancy.fences'), lease_owner = $2, lease_host = $3, lease_since = clock_timestamp(),
           lease_expires_at = clock_timestamp() + $4::float8 * interval '1 ms'
      FROM locked l
     WHERE t.id = l.id AND (l.lease_owner IS NULL OR l.lease_owner = $2 OR l.lease_expires_at <= clock_timestamp())
    RETURNING t.*
  )
  SELECT w.id AS wanted, t.id IS NOT NULL AS is_granted, l.id IS NOT NULL AS is_known, l.lease_owner AS held_by, l.lease_host AS held_at,
         (extract(epoch FROM l.lease_since) * 1000)::float8 AS held_since,
         (extract(epoch FROM l.lease_expires_at - clock_timestamp()) * 1000)::float8 AS held_ms,
         ${TENANT_COLUMNS}
    FROM wanted w LEFT JOIN locked l ON l.id = w.id LEFT JOIN granted t ON t.id = w.id
   ORDER BY w.id`;

/** A lease that expired and that nobody has taken since is still its owner's: the fence is unchanged. */
const RENEW = `
  WITH locked AS (SELECT id FROM tenancy.tenants WHERE lease_owner = $1 ORDER BY id FOR UPDATE),
  renewed AS (
    UPDATE tenancy.tenants t SET lease_expires_at = clock_timestamp() + $2::float8 * interval '1 ms'
      FROM locked l WHERE t.id = l.id AND t.lease_owner = $1
    RETURNING t.id
  ), alive AS (
    UPDATE tenancy.runs SET alive_until = clock_timestamp() + $2::float8 * interval '1 ms' WHERE owner = $1 AND status = 'running'
  )
  SELECT id FROM renewed ORDER BY id`;

const RELEASE = `
  WITH locked AS (
    SELECT id FROM tenancy.tenants WHERE lease_owner = $1 AND id = ANY ($2::text[]) ORDER BY id FOR UPDATE
  )
  UPDATE tenancy.tenants t SET lease_owner = NULL, lease_host = NULL, lease_since = NULL, lease_expires_at = NULL
    FROM locked l WHERE t.id = l.id AND t.lease_owner = $1`;

/** With a new fence, so that whoever held it writes nothing more. Sent again after a lost answer it finds its own entry in the audit trail. */
const BREAK = `
  WITH held AS (SELECT * FROM tenancy.tenants WHERE id = $1 AND lease_owner IS NOT NULL FOR UPDATE),
  broken AS (
    UPDATE tenancy.tenants t SET fence = nextval('tenancy.fences'), lease_owner = NULL, lease_host = NULL, lease_since = NULL, lease_expires_at = NULL
      FROM held h WHERE t.id = h.id
    RETURNING h.id, h.lease_owner AS owner, h.lease_host AS host, (extract(epoch FROM h.lease_since) * 1000)::float8 AS since
  ), logged AS (
    INSERT INTO tenancy.events (tenant, type, data, change_id, actor)
    SELECT id, 'lease.broken', jsonb_build_object('owner', owner, 'host', host, 'since', since), $2::uuid, $3::jsonb FROM broken
  )
  SELECT owner, host, since FROM broken
  UNION ALL
  SELECT data ->> 'owner', data ->> 'host', (data ->> 'since')::float8 FROM tenancy.events WHERE tenant = $1 AND change_id = $2::uuid`;
