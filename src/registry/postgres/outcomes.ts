import { randomUUID } from 'node:crypto';
import { redact } from '../../util/redact.js';
import { toJson } from '../keepable.js';
import type { OutcomeRecord, Registry } from '../registry.js';
import { type OutcomeRow, toCounts, toOutcome } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { READING } from './rows.js';

export function createOutcomeBook(db: RegistryConnection): Pick<Registry, 'recordOutcomes' | 'listOutcomes' | 'countOutcomes'> {
  return {
    recordOutcomes: async (runId, outcomes) => {
      await db.query(RECORD, [runId, toJson(outcomes.map(toInput)), randomUUID(), db.actor]);
    },
    listOutcomes: async (runId, filter, page) => {
      const rows = await db.query<OutcomeRow<unknown>>(LIST, [runId, filter.outcomes ?? null, page.after, page.limit]);
      return rows.map((row) => toOutcome(row, READING));
    },
    countOutcomes: async (runId) => toCounts(await db.query<{ outcome: string; tenants: number }>(COUNT, [runId])),
  };
}

function toInput({ outcome, owner, fence, version, lastError, touched, transition }: OutcomeRecord): Record<string, unknown> {
  // Named one by one: spread, each becomes a dictionary of five kilobytes.
  return {
    tenant: outcome.tenant,
    cluster: outcome.cluster,
    outcome: outcome.outcome,
    attempts: outcome.attempts,
    from: outcome.from,
    to: outcome.to,
    ms: Math.round(outcome.ms),
    error: outcome.error ? { ...outcome.error, message: redact(outcome.error.message) } : null,
    owner,
    fence,
    has_version: version !== undefined,
    schema_version: version?.schemaVersion ?? null,
    migrations_hash: version?.migrationsHash ?? null,
    touched: touched === undefined || touched.length === 0 ? null : touched,
    status_from: transition?.from ?? [],
    status_to: transition?.to ?? null,
    last_error: lastError ? { ...lastError, message: redact(lastError.message) } : null,
  };
}

/**
 * The run's own account is always written; the tenant's row only by who still holds its lease, with its newest fence.
 * A tenant that was never reached or not touched (`not-started`, `skipped`) only gets its lease back.
 * Sent again after a lost answer it writes the same, finds the lease given back, and makes no second entry in the audit trail.
 */
const RECORD = `
  WITH input AS (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS i
      (tenant text, cluster text, outcome text, attempts integer, "from" text, "to" text, ms bigint, error jsonb,
       owner text, fence bigint, has_version boolean, schema_version text, migrations_hash text, last_error jsonb,
       touched jsonb, status_from text[], status_to text)
  ), locked AS (
    SELECT t.id, t.status, t.fence, t.lease_owner, t.lease_host FROM tenancy.tenants t JOIN input i ON i.tenant = t.id ORDER BY t.id FOR UPDATE OF t
  ), recorded AS (
    INSERT INTO tenancy.run_tenants AS r (run_id, tenant, cluster, outcome, attempts, from_version, to_version, ms, error, change_id)
    SELECT $1, tenant, cluster, outcome, attempts, "from", "to", ms, error, $3::uuid FROM input ORDER BY tenant
    ON CONFLICT (run_id, tenant) DO UPDATE SET
      outcome = excluded.outcome, attempts = excluded.attempts, from_version = excluded.from_version, to_version = excluded.to_version,
      ms = excluded.ms, error = excluded.error, change_id = excluded.change_id, recorded_at = clock_timestamp()
      WHERE r.change_id <> excluded.change_id
        AND (r.outcome IN ('not-started', 'cancelled')
             OR EXISTS (SELECT FROM locked l JOIN input i ON i.tenant = l.id WHERE l.id = excluded.tenant AND l.fence = i.fence AND l.lease_owner = i.owner))
    RETURNING r.tenant
  ), settled AS (
    UPDATE tenancy.tenants t SET
      status = CASE WHEN t.status = ANY (i.status_from) THEN i.status_to ELSE t.status END,
      schema_version = CASE WHEN i.has_version THEN i.schema_version ELSE t.schema_version END,
      migrations_hash = CASE WHEN i.has_version THEN i.migrations_hash ELSE t.migrations_hash END,
      last_error = CASE WHEN i.outcome IN ('not-started', 'skipped') THEN t.last_error ELSE i.last_error END,
      updated_at = CASE WHEN i.outcome IN ('not-started', 'skipped') THEN t.updated_at ELSE clock_timestamp() END,
      lease_owner = NULL, lease_host = NULL, lease_since = NULL, lease_expires_at = NULL
      FROM input i JOIN locked l ON l.id = i.tenant
     WHERE t.id = i.tenant AND l.fence = i.fence AND l.lease_owner = i.owner
    RETURNING t.id
  )
  INSERT INTO tenancy.events (run_id, tenant, type, data, change_id, actor)
  SELECT $1, i.tenant, 'tenant.settled',
         jsonb_strip_nulls(jsonb_build_object('outcome', i.outcome, 'from', i."from", 'to', i."to", 'attempts', i.attempts, 'ms', i.ms, 'code', i.error ->> 'code',
           'hash', i.migrations_hash, 'status', CASE WHEN s.id IS NOT NULL AND l.status = ANY (i.status_from) THEN i.status_to END, 'touched', i.touched, 'host', l.lease_host, 'isStale', CASE WHEN s.id IS NULL THEN true END)),
         $3::uuid, $4::jsonb
    FROM recorded r JOIN input i ON i.tenant = r.tenant LEFT JOIN locked l ON l.id = i.tenant LEFT JOIN settled s ON s.id = i.tenant
   WHERE i.outcome NOT IN ('not-started', 'skipped')
   ORDER BY i.tenant COLLATE "C"`;

const COUNT = 'SELECT outcome, count(*)::int AS tenants FROM tenancy.run_tenants WHERE run_id = $1 GROUP BY outcome';

const LIST = `
  SELECT tenant, cluster, outcome, attempts, from_version, to_version, ms, error FROM tenancy.run_tenants
   WHERE run_id = $1 AND ($2::text[] IS NULL OR outcome = ANY ($2::text[])) AND ($3::text IS NULL OR tenant > $3)
   ORDER BY tenant LIMIT $4`;
