import type { InFlightTenant, LeftTenants, RunDistribution } from '../distribution.js';
import { type OutcomeRow, toOutcome } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { Params, whereTenant } from './filter.js';
import { READING, TENANT_COLUMNS, type TenantRow, toTenant } from './rows.js';

type InFlightRow = InFlightTenant & Record<string, unknown>;
type LeftRow = LeftTenants & Record<string, unknown>;

/** Commits become visible out of the order of their times: so long back is looked again. */
const OVERLAP_MS = 5_000;

export function createRunDistribution(db: RegistryConnection): RunDistribution {
  return {
    takeTenants: async (runId, { filter, after, limit, lease, known }) => {
      const params = new Params();
      const owner = params.add(lease.owner, 'text');
      const conditions = [
        whereTenant(filter, params),
        hasNoEnd(params.add(runId, 'text')),
        `(t.lease_owner IS NULL OR t.lease_expires_at <= clock_timestamp() OR (t.lease_owner = ${owner} AND t.id <> ALL (${params.add(known, 'text[]')})))`,
      ];
      if (after !== null) conditions.push(`t.id > ${params.add(after, 'text')}`);
      const rows = await db.query<TenantRow>(
        `WITH next AS (
           SELECT t.id FROM tenancy.tenants t WHERE ${conditions.join(' AND ')}
            ORDER BY t.id LIMIT ${params.add(limit, 'int')} FOR UPDATE OF t SKIP LOCKED
         ), granted AS (
           UPDATE tenancy.tenants t SET fence = nextval('tenancy.fences'), lease_owner = ${owner}, lease_host = ${params.add(lease.host, 'text')},
                  lease_since = clock_timestamp(), lease_expires_at = clock_timestamp() + ${params.add(lease.ttlMs, 'float8')} * interval '1 ms'
             FROM next n WHERE t.id = n.id
           RETURNING t.*
         )
         SELECT ${TENANT_COLUMNS} FROM granted t ORDER BY t.id`,
        params.values,
      );
      return rows.map((row) => {
        const tenant = toTenant(row);
        return { id: tenant.id, status: 'granted', fence: tenant.fence, tenant };
      });
    },
    hasLeft: async (runId, filter) => {
      const params = new Params();
      const left = `SELECT FROM tenancy.tenants t WHERE ${whereTenant(filter, params)} AND ${hasNoEnd(params.add(runId, 'text'))}`;
      const [row] = await db.query<{ has_left: boolean }>(`SELECT EXISTS (${left}) AS has_left`, params.values);
      return row?.has_left ?? false;
    },
    listLeft: async (runId, filter) => {
      const params = new Params();
      return db.query<LeftRow>(
        `SELECT t.cluster, count(*)::int AS tenants, jsonb_agg(DISTINCT t.driver) AS drivers FROM tenancy.tenants t
          WHERE ${whereTenant(filter, params)} AND ${hasNoEnd(params.add(runId, 'text'))} GROUP BY t.cluster ORDER BY t.cluster`,
        params.values,
      );
    },
    listHeldElsewhere: async (runId, filter) => {
      const params = new Params();
      const rows = await db.query<TenantRow>(
        `SELECT ${TENANT_COLUMNS} FROM tenancy.tenants t
          WHERE t.lease_owner IS NOT NULL AND t.lease_expires_at > clock_timestamp() AND NOT starts_with(t.lease_owner, ${params.add(`${runId}/`, 'text')})
            AND ${whereTenant(filter, params)} AND ${hasNoEnd(params.add(runId, 'text'))} ORDER BY t.id LIMIT 100`,
        params.values,
      );
      return rows.map(toTenant);
    },
    listRecentOutcomes: async (runId, since) => {
      const rows = await db.query<OutcomeRow<unknown> & { now: number }>(RECENT, [runId, since === null ? null : since - OVERLAP_MS]);
      const [{ now } = { now: since ?? 0 }] = rows;
      return { outcomes: rows.filter(({ tenant }) => tenant !== null).map((row) => toOutcome(row, READING)), now };
    },
    listInFlight: async (runId) => db.query<InFlightRow>(IN_FLIGHT, [`${runId}/`]),
    dropExpired: async (owners) => {
      await db.query(DROP_EXPIRED, [owners]);
    },
  };
}

/** Who was cancelled, or never started, may be taken up by the same run when it is gone on with. */
function hasNoEnd(runId: string): string {
  return `NOT EXISTS (SELECT FROM tenancy.run_tenants rt WHERE rt.run_id = ${runId} AND rt.tenant = t.id AND rt.outcome NOT IN ('not-started', 'cancelled'))`;
}

/** At least one row, which tells the time. */
const RECENT = `
  SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now,
         r.tenant, r.cluster, r.outcome, r.attempts, r.from_version, r.to_version, r.ms, r.error
    FROM (SELECT 1) AS one LEFT JOIN tenancy.run_tenants r
      ON r.run_id = $1 AND ($2::float8 IS NULL OR r.recorded_at > to_timestamp($2::float8 / 1000))
   ORDER BY r.recorded_at`;

const IN_FLIGHT = `
  SELECT t.id, t.cluster, t.lease_owner AS owner, t.lease_host AS host FROM tenancy.tenants t
   WHERE t.lease_owner IS NOT NULL AND starts_with(t.lease_owner, $1) AND t.lease_expires_at > clock_timestamp() ORDER BY t.lease_since, t.id`;

/** The rows in the order of ids, as every statement about leases locks them. */
const DROP_EXPIRED = `
  WITH expired AS (
    SELECT t.id FROM tenancy.tenants t
     WHERE t.lease_owner IS NOT NULL AND t.lease_expires_at <= clock_timestamp() AND EXISTS (SELECT FROM unnest($1::text[]) AS o WHERE starts_with(t.lease_owner, o))
     ORDER BY t.id FOR UPDATE
  )
  UPDATE tenancy.tenants t SET lease_owner = NULL, lease_host = NULL, lease_since = NULL, lease_expires_at = NULL FROM expired e WHERE t.id = e.id`;
