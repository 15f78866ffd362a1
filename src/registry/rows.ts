import type { RunCommand } from '../events.js';
import type { OutcomeCounts, OutcomeError, TenantOutcome, TenantOutcomeType } from '../outcome.js';
import { TENANT_OUTCOMES } from '../outcome.js';
import type { RunStop } from '../run-stop.js';
import type { DriverName, TenantStatus } from '../tenant.js';
import type { Run, RunControl, StepRecord, TenantSummary } from './registry.js';

/** Whatever a statement answers; each caller names the columns it asked for. */
export type Row = Record<string, unknown>;

/** How times and JSON come out of an SQL store. */
export interface Reading<Time, Json> {
  toDate(time: Time): Date;
  fromJson<T>(json: Json): T;
}

/** Null stays null. */
export function orNull<From, To>(value: From | null, read: (value: From) => To): To | null {
  return value === null ? null : read(value);
}

export interface SummaryRow extends Row {
  readonly status: string;
  readonly cluster: string;
  readonly driver: string;
  readonly schema_version: string | null;
  readonly migrations_hash: string | null;
  readonly tenants: number;
  readonly with_error: number;
}

export function toSummary(row: SummaryRow): TenantSummary {
  return {
    status: row.status as TenantStatus,
    cluster: row.cluster,
    driver: row.driver as DriverName,
    schemaVersion: row.schema_version,
    migrationsHash: row.migrations_hash,
    tenants: row.tenants,
    withError: row.with_error,
  };
}

export interface StepRow<Time> extends Row {
  readonly operation_id: string;
  readonly tenant: string;
  readonly step: string;
  readonly state: string;
  readonly attempt: number;
  readonly error: string | null;
  readonly started_at: Time;
  readonly finished_at: Time | null;
}

export function toStep<Time>(row: StepRow<Time>, { toDate }: Pick<Reading<Time, never>, 'toDate'>): StepRecord {
  return {
    operationId: row.operation_id,
    tenant: row.tenant,
    step: row.step,
    state: row.state as StepRecord['state'],
    attempt: row.attempt,
    error: row.error,
    startedAt: toDate(row.started_at),
    finishedAt: orNull(row.finished_at, toDate),
  };
}

export interface RunRow<Time, Json> extends Row {
  readonly id: string;
  readonly command: string;
  readonly owner: string;
  readonly host: string;
  readonly target: string | null;
  readonly options: Json;
  readonly selected: number;
  readonly status: string;
  readonly counts: Json | null;
  readonly not_started: number | null;
  readonly exit_code: number | null;
  readonly stopped: Json | null;
  readonly started_at: Time;
  readonly finished_at: Time | null;
  readonly has_died: boolean | number;
  readonly control: string;
  readonly control_by: string | null;
  readonly paused_at: Time | null;
  readonly end_reason: string | null;
}

/** What a run is, of what is recorded of it. */
export function deriveRunStatus(run: {
  readonly status: string;
  readonly hasDied: boolean;
  readonly isHolding: boolean;
  readonly endReason: string | null;
}): Run['status'] {
  if (run.status === 'running') return run.hasDied ? 'interrupted' : run.isHolding ? 'paused' : 'running';
  return run.status === 'interrupted' && run.endReason === 'cancelled' ? 'cancelled' : (run.status as Run['status']);
}

export function toRun<Time, Json>(row: RunRow<Time, Json>, { toDate, fromJson }: Reading<Time, Json>): Run {
  return {
    id: row.id,
    command: row.command as RunCommand,
    owner: row.owner,
    host: row.host,
    target: row.target,
    options: fromJson(row.options),
    selected: row.selected,
    status: deriveRunStatus({
      status: row.status,
      hasDied: Boolean(row.has_died),
      isHolding: row.paused_at !== null,
      endReason: row.end_reason,
    }),
    control: row.control as RunControl,
    controlBy: row.control_by,
    pausedAt: orNull(row.paused_at, toDate),
    endReason: row.end_reason,
    counts: orNull(row.counts, (counts) => fromJson<OutcomeCounts>(counts)),
    notStarted: row.not_started,
    exitCode: row.exit_code,
    // One that is gone on with has not ended, whatever had stopped it before.
    stopped: orNull(row.status === 'running' ? null : row.stopped, (stopped) => fromJson<RunStop>(stopped)),
    startedAt: toDate(row.started_at),
    finishedAt: orNull(row.finished_at, toDate),
  };
}

/** Of all outcomes, also those that nobody had. */
export function toCounts(rows: readonly { readonly outcome: string; readonly tenants: number }[]): OutcomeCounts {
  const counted = new Map(rows.map(({ outcome, tenants }) => [outcome, Number(tenants)]));
  return Object.fromEntries(TENANT_OUTCOMES.map((type) => [type, counted.get(type) ?? 0])) as Record<TenantOutcomeType, number>;
}

export interface OutcomeRow<Json> extends Row {
  readonly tenant: string;
  readonly cluster: string;
  readonly outcome: string;
  readonly attempts: number;
  readonly from_version: string | null;
  readonly to_version: string | null;
  readonly ms: number;
  readonly error: Json | null;
}

export function toOutcome<Json>(row: OutcomeRow<Json>, { fromJson }: Pick<Reading<never, Json>, 'fromJson'>): TenantOutcome {
  return {
    tenant: row.tenant,
    cluster: row.cluster,
    outcome: row.outcome as TenantOutcomeType,
    attempts: row.attempts,
    from: row.from_version,
    to: row.to_version,
    ms: row.ms,
    ...(row.error === null ? {} : { error: fromJson<OutcomeError>(row.error) }),
  };
}
