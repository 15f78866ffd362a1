import { randomUUID } from 'node:crypto';
import { redact } from '../../util/redact.js';
import { toJson } from '../keepable.js';
import type { OutcomeRecord, Registry } from '../registry.js';
import { type OutcomeRow, toCounts, toOutcome } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { inputTable, toInputRows, toJsonOrNull } from './json.js';
import { NO_LEASE } from './leases.js';
import { lockTenants, setInput } from './lock.js';
import { logEvents } from './log-events.js';
import { READING } from './rows.js';
import type { Statement, Value } from './session.js';

export function createOutcomeBook(db: RegistryConnection): Pick<Registry, 'recordOutcomes' | 'listOutcomes' | 'countOutcomes'> {
  return {
    recordOutcomes: async (runId, outcomes) => {
      await db.transact(planRecord(runId, outcomes, randomUUID(), db.actor));
    },
    listOutcomes: async (runId, { outcomes }, { after, limit }) => {
      const conditions = ['run_id = ?'];
      const params: Value[] = [runId];
      if (outcomes !== undefined) {
        conditions.push('outcome IN (?)');
        params.push(outcomes.length === 0 ? [null] : outcomes);
      }
      if (after !== null) {
        conditions.push('tenant > ?');
        params.push(after);
      }
      const rows = await db.read<OutcomeRow<string>>(
        `SELECT tenant, cluster, outcome, attempts, from_version, to_version, ms, error FROM tenancy_run_tenants
          WHERE ${conditions.join(' AND ')} ORDER BY tenant LIMIT ?`,
        [...params, limit],
      );
      return rows.map((row) => toOutcome(row, READING));
    },
    countOutcomes: async (runId) =>
      toCounts(
        await db.read<{ outcome: string; tenants: number }>(
          'SELECT outcome, COUNT(*) AS tenants FROM tenancy_run_tenants WHERE run_id = ? GROUP BY outcome',
          [runId],
        ),
      ),
  };
}

function toInput({ outcome, owner, fence, version, lastError, touched, transition }: OutcomeRecord): Record<string, unknown> {
  const { error } = outcome;
  return {
    tenant: outcome.tenant,
    cluster: outcome.cluster,
    outcome: outcome.outcome,
    attempts: outcome.attempts,
    from_version: outcome.from,
    to_version: outcome.to,
    ms: Math.round(outcome.ms),
    error: error ? toJson({ ...error, message: redact(error.message) }) : null,
    data: toJson({
      outcome: outcome.outcome,
      from: outcome.from ?? undefined,
      to: outcome.to ?? undefined,
      attempts: outcome.attempts,
      ms: Math.round(outcome.ms),
      code: error?.code,
      hash: version?.migrationsHash,
      touched: touched === undefined || touched.length === 0 ? undefined : touched,
    }),
    is_idle: Number(outcome.outcome === 'not-started' || outcome.outcome === 'skipped'),
    owner,
    fence,
    has_version: Number(version !== undefined),
    schema_version: version?.schemaVersion ?? null,
    migrations_hash: version?.migrationsHash ?? null,
    from_statuses: (transition?.from ?? []).join(),
    to_status: transition?.to ?? null,
    last_error: toJsonOrNull(lastError && { ...lastError, message: redact(lastError.message) }),
  };
}

const INPUT = inputTable({
  tenant: 'id',
  cluster: 'text',
  outcome: 'text',
  attempts: 'int',
  from_version: 'text',
  to_version: 'text',
  ms: 'int',
  error: 'text',
  data: 'text',
  is_idle: 'int',
  owner: 'text',
  fence: 'int',
  has_version: 'int',
  schema_version: 'text',
  migrations_hash: 'text',
  from_statuses: 'text',
  to_status: 'text',
  last_error: 'text',
});

const IS_HOLDER = 't.fence = i.fence AND t.lease_owner = i.owner';

/** One who lost the lease has nothing to say where another has said how it ended; `r`: what the run has of the tenant. */
const IS_HEARD = `(r.tenant IS NULL OR r.outcome IN ('not-started', 'cancelled') OR COALESCE(${IS_HOLDER}, FALSE))`;

/**
 * The run's own account is always written; the tenant's row only by who still holds its lease, with its newest fence.
 * A tenant that was never reached or not touched (`not-started`, `skipped`) only gets its lease back.
 * Sent again after a lost answer it finds its own account by `change_id` and makes no second entry in the audit trail.
 */
function planRecord(runId: string, outcomes: readonly OutcomeRecord[], change: string, actor: string | null): readonly Statement[] {
  const changed = ['outcome', 'attempts', 'from_version', 'to_version', 'ms', 'error', 'recorded_at', 'change_id'];
  return [
    setInput(toInputRows(outcomes.map(toInput))),
    lockTenants(outcomes.map(({ outcome }) => outcome.tenant)),
    ...logEvents(actor, change, {
      sql: `SELECT ? AS run_id, i.tenant AS tenant, 'tenant.settled' AS type,
               JSON_MERGE_PRESERVE(i.data,
                 CASE WHEN ${IS_HOLDER} AND FIND_IN_SET(t.status, i.from_statuses) > 0 THEN JSON_OBJECT('status', i.to_status) ELSE '{}' END,
                 CASE WHEN t.lease_host IS NOT NULL THEN JSON_OBJECT('host', t.lease_host) ELSE '{}' END,
                 CASE WHEN ${IS_HOLDER} THEN '{}' ELSE '{"isStale": true}' END) AS data
          FROM ${INPUT} LEFT JOIN tenancy_tenants t ON t.id = i.tenant
               LEFT JOIN tenancy_run_tenants r ON r.run_id = ? AND r.tenant = i.tenant
         WHERE i.is_idle = 0 AND (r.change_id IS NULL OR r.change_id <> ?) AND ${IS_HEARD}`,
      params: [runId, runId, change],
    }),
    {
      sql: `INSERT INTO tenancy_run_tenants (run_id, tenant, cluster, outcome, attempts, from_version, to_version, ms, error, change_id, recorded_at)
        SELECT ?, i.tenant, i.cluster, i.outcome, i.attempts, i.from_version, i.to_version, i.ms, i.error, ?, UTC_TIMESTAMP(6)
          FROM ${INPUT} LEFT JOIN tenancy_tenants t ON t.id = i.tenant
               LEFT JOIN tenancy_run_tenants r ON r.run_id = ? AND r.tenant = i.tenant
         WHERE ${IS_HEARD} ORDER BY i.tenant
        ON DUPLICATE KEY UPDATE ${changed.map((column) => `tenancy_run_tenants.${column} = VALUES(${column})`).join(', ')}`,
      params: [runId, change, runId],
    },
    {
      sql: `UPDATE ${INPUT} STRAIGHT_JOIN tenancy_tenants t ON t.id = i.tenant SET
          t.schema_version = CASE WHEN i.has_version = 1 THEN i.schema_version ELSE t.schema_version END,
          t.migrations_hash = CASE WHEN i.has_version = 1 THEN i.migrations_hash ELSE t.migrations_hash END,
          t.last_error = CASE WHEN i.is_idle = 1 THEN t.last_error ELSE i.last_error END,
          t.updated_at = CASE WHEN i.is_idle = 1 THEN t.updated_at ELSE UTC_TIMESTAMP(6) END,
          t.status = CASE WHEN FIND_IN_SET(t.status, i.from_statuses) > 0 THEN i.to_status ELSE t.status END,
          ${NO_LEASE}
        WHERE ${IS_HOLDER}`,
    },
  ];
}
