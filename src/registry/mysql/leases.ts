import { randomUUID } from 'node:crypto';
import { toJson } from '../keepable.js';
import type { LeaseGrant, Registry } from '../registry.js';
import type { RegistryConnection } from './connection.js';
import { listIds } from './json.js';
import { lockTenants, setInput } from './lock.js';
import { logEvents } from './log-events.js';
import { TENANT_COLUMNS, type TenantRow, toTenant } from './rows.js';
import type { Statement } from './session.js';

/**
 * Leases are rows, so that they outlive a connection and pass through a proxy, and expire by the server's clock, so that nobody has to unlock by hand.
 * UTC_TIMESTAMP is the time at which its statement began, which is after the locks were had: a lease is promised from the moment it is given.
 */
export function createLeaseKeeper(
  db: RegistryConnection,
): Pick<Registry, 'acquireLeases' | 'renewLeases' | 'releaseLeases' | 'breakLease'> {
  return {
    acquireLeases: async (ids, { owner, host, ttlMs }) => {
      const wanted = [...new Set(ids)].sort(compareBytes);
      const rows = (await db.transact(planAcquire(wanted, owner, host, ttlMs))).at(-1) as readonly TenantRow[];
      const found = new Map(rows.map((row) => [row.id, row]));
      return wanted.map((id) => toGrant(id, found.get(id), owner));
    },
    renewLeases: async (owner, ttlMs) => {
      const rows = (await db.transact(planRenew(owner, ttlMs))).at(-1) as readonly { id: string }[];
      return rows.map(({ id }) => id);
    },
    releaseLeases: async (owner, ids) => {
      const list = listIds(ids);
      await db.transact([
        lockTenants(ids),
        { sql: `UPDATE tenancy_tenants t SET ${NO_LEASE} WHERE t.id IN (?) AND t.lease_owner = ?`, params: [list, owner] },
      ]);
    },
    breakLease: async (id) => {
      const rows = (await db.transact(planBreak(id, randomUUID(), db.actor))).at(-1) as readonly {
        owner: string;
        host: string;
        since: number;
      }[];
      const [row] = rows;
      return row === undefined ? null : { owner: row.owner, host: row.host, since: new Date(row.since) };
    },
  };
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function toGrant(id: string, row: TenantRow | undefined, owner: string): LeaseGrant {
  if (row === undefined) return { id, status: 'missing' };
  if (row.lease_owner === owner) return { id, status: 'granted', fence: row.fence, tenant: toTenant(row) };
  return {
    id,
    status: 'held',
    owner: row.lease_owner ?? '',
    host: row.lease_host ?? '',
    since: row.lease_since ?? new Date(0),
    expiresInMs: Math.max(0, Math.ceil((row.lease_left_us ?? 0) / 1000)),
  };
}

export const NO_LEASE = 't.lease_owner = NULL, t.lease_host = NULL, t.lease_since = NULL, t.lease_expires_at = NULL';

const EXPIRES = 'TIMESTAMPADD(MICROSECOND, ?, UTC_TIMESTAMP(6))';

const IDS = `JSON_TABLE(@input, '$[*]' COLUMNS (n FOR ORDINALITY, id VARCHAR(64) CHARACTER SET utf8mb4 PATH '$')) i`;

function planAcquire(ids: readonly string[], owner: string, host: string, ttlMs: number): readonly Statement[] {
  return [
    setInput(toJson(ids)),
    lockTenants(ids),
    { sql: 'UPDATE tenancy_fences SET last = last + ?', params: [ids.length] },
    {
      sql: `UPDATE ${IDS} STRAIGHT_JOIN tenancy_tenants t ON t.id = i.id STRAIGHT_JOIN tenancy_fences f SET
          t.fence = f.last - ? + i.n, t.lease_owner = ?, t.lease_host = ?, t.lease_since = UTC_TIMESTAMP(6), t.lease_expires_at = ${EXPIRES}
        WHERE t.id IN (?) AND (t.lease_owner IS NULL OR t.lease_owner = ? OR t.lease_expires_at <= UTC_TIMESTAMP(6))`,
      params: [ids.length, owner, host, Math.round(ttlMs * 1000), listIds(ids), owner],
    },
    { sql: `SELECT ${TENANT_COLUMNS} FROM tenancy_tenants t WHERE t.id IN (?)`, params: [listIds(ids)] },
  ];
}

/**
 * A lease that expired and that nobody has taken since is still its owner's: the fence is unchanged. Which they are is read first, without
 * locks (a SET with a query in it takes some): to lock them by the index of owners would be another order than everybody else's.
 */
function planRenew(owner: string, ttlMs: number): readonly Statement[] {
  const us = Math.round(ttlMs * 1000);
  return [
    { sql: 'SELECT JSON_ARRAYAGG(t.id) FROM tenancy_tenants t WHERE t.lease_owner = ? INTO @input', params: [owner] },
    { sql: `SELECT t.id FROM ${IDS} STRAIGHT_JOIN tenancy_tenants t FORCE INDEX (PRIMARY) ON t.id = i.id ORDER BY i.id FOR UPDATE` },
    {
      sql: `UPDATE ${IDS} STRAIGHT_JOIN tenancy_tenants t FORCE INDEX (PRIMARY) ON t.id = i.id SET t.lease_expires_at = ${EXPIRES}
        WHERE t.lease_owner = ?`,
      params: [us, owner],
    },
    { sql: `UPDATE tenancy_runs SET alive_until = ${EXPIRES} WHERE owner = ? AND status = 'running'`, params: [us, owner] },
    { sql: 'SELECT t.id FROM tenancy_tenants t WHERE t.lease_owner = ? ORDER BY t.id', params: [owner] },
  ];
}

/** With a new fence, so that whoever held it writes nothing more. Sent again after a lost answer it finds its own entry in the audit trail. */
function planBreak(id: string, change: string, actor: string | null): readonly Statement[] {
  const sinceMs = `TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', t.lease_since) DIV 1000`;
  return [
    lockTenants([id]),
    ...logEvents(actor, change, {
      sql: `SELECT NULL AS run_id, t.id AS tenant, 'lease.broken' AS type,
                   JSON_OBJECT('owner', t.lease_owner, 'host', t.lease_host, 'since', ${sinceMs}) AS data
              FROM tenancy_tenants t WHERE t.id IN (?) AND t.lease_owner IS NOT NULL`,
      params: [listIds([id])],
    }),
    { sql: 'UPDATE tenancy_fences SET last = last + 1' },
    {
      sql: `UPDATE tenancy_tenants t JOIN tenancy_fences f SET t.fence = f.last, ${NO_LEASE} WHERE t.id IN (?) AND t.lease_owner IS NOT NULL`,
      params: [listIds([id])],
    },
    {
      sql: `SELECT JSON_UNQUOTE(JSON_EXTRACT(data, '$.owner')) AS owner, JSON_UNQUOTE(JSON_EXTRACT(data, '$.host')) AS host,
                   CAST(JSON_EXTRACT(data, '$.since') AS SIGNED) AS since
              FROM tenancy_events WHERE tenant = ? AND change_id = ?`,
      params: [id, change],
    },
  ];
}
