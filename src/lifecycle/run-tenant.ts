import type { ErrorClass } from '../drivers/driver.js';
import { isTenancyError, TenancyError } from '../errors.js';
import type { StepName } from '../events.js';
import { backOffMs } from '../fleet/retry.js';
import type { OutcomeError, TenantOutcome } from '../outcome.js';
import type { Tenant } from '../tenant.js';
import { sleep } from '../util/abort.js';
import { elapsedMs, monotonicMs, wallClock } from '../util/clock.js';
import { redact } from '../util/redact.js';
import type { RunContext, WorkResult } from './run-context.js';
import { StepFailure } from './steps.js';

/** What a tenant ended with, and what of it the registry is to keep. */
export interface Ending {
  readonly outcome: TenantOutcome;
  readonly result: WorkResult | null;
  readonly errorClass: ErrorClass | null;
}

const RETRIED: ReadonlySet<ErrorClass> = new Set(['transaction', 'busy', 'catalog-race', 'connection']);

/**
 * Tries one tenant until it is done, its attempts are used up, or its failure is of a class that trying again can't mend.
 * The one place where what is thrown for a tenant becomes an outcome: never rejects.
 */
export async function runTenant(
  run: RunContext,
  tenant: Tenant,
  signal: AbortSignal,
  attempt: (attempt: number) => Promise<WorkResult>,
): Promise<Ending> {
  const startedMs = monotonicMs();
  for (let attempts = 1; ; attempts += 1) {
    try {
      const result = await attempt(attempts);
      const { outcome, from, to } = result;
      const error = result.error ? describeFailure(run, tenant, result.error, null) : undefined;
      return {
        outcome: {
          tenant: tenant.id,
          cluster: tenant.cluster,
          outcome,
          attempts,
          from,
          to,
          ms: elapsedMs(startedMs),
          ...(error ? { error } : {}),
        },
        result,
        errorClass: null,
      };
    } catch (thrown) {
      const errorClass = classify(run, tenant, thrown, signal);
      const error = describeFailure(run, tenant, thrown, errorClass);
      if (RETRIED.has(errorClass) && attempts <= run.limits.retries && !signal.aborted) {
        const delayMs = backOffMs(attempts);
        run.emit({ type: 'tenant.retried', tenant: tenant.id, attempt: attempts + 1, delayMs, error });
        // An abort in the pause ends the loop at the next attempt's first look at the signal.
        await sleep(delayMs, signal).catch(() => undefined);
        if (!signal.aborted) continue;
      }
      const outcome = outcomeOf(thrown, signal);
      return {
        outcome: {
          tenant: tenant.id,
          cluster: tenant.cluster,
          outcome,
          attempts,
          from: tenant.schemaVersion,
          to: null,
          ms: elapsedMs(startedMs),
          error,
        },
        result: null,
        errorClass,
      };
    }
  }
}

function outcomeOf(thrown: unknown, signal: AbortSignal): 'failed' | 'unverified' | 'unknown' | 'cancelled' {
  const cause = unwrap(thrown).error;
  if (isTenancyError(cause, 'TENANCY_MIGRATION_UNKNOWN') || isTenancyError(cause, 'TENANCY_REPAIR_UNDECIDED')) return 'unknown';
  if (isTenancyError(cause, 'TENANCY_VERSION_UNVERIFIED')) return 'unverified';
  if (signal.aborted && isTenancyError(signal.reason, 'TENANCY_RUN_ABORTED')) return 'cancelled';
  return 'failed';
}

function unwrap(thrown: unknown): { readonly error: unknown; readonly step: StepName | null } {
  return thrown instanceof StepFailure ? { error: thrown.cause, step: thrown.step } : { error: thrown, step: null };
}

function classify(run: RunContext, tenant: Tenant, thrown: unknown, signal: AbortSignal): ErrorClass {
  if (signal.aborted) return isTenancyError(signal.reason, 'TENANCY_TIMEOUT_REACHED') ? 'timeout' : 'fatal';
  const { error } = unwrap(thrown);
  // A lease that is held elsewhere has been waited for already, and a lost one is another's now.
  if (isTenancyError(error, 'TENANCY_LEASE_LOST') || isTenancyError(error, 'TENANCY_STATE_MOVED')) return 'fatal';
  if (isTenancyError(error, 'TENANCY_REGISTRY_UNREACHABLE')) return 'connection';
  if (isTenancyError(error, 'TENANCY_CLUSTER_UNREACHABLE')) return 'connection';
  const engine = run.clusters.opened(tenant.cluster);
  return engine ? engine.classify(error) : 'fatal';
}

/** What is told and kept of a failure: a code, a sentence, a hint; never a secret. */
export function describeFailure(run: RunContext, tenant: Tenant, thrown: unknown, errorClass: ErrorClass | null): OutcomeError {
  const { error: original, step } = unwrap(thrown);
  const error = toTenancyError(run, tenant, original, step, errorClass);
  return {
    code: error.code,
    message: redact(error.message),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    hook: step,
    retryable: error.isRetryable || (errorClass !== null && RETRIED.has(errorClass)),
    log: run.logs.pathOf(tenant.id),
  };
}

function toTenancyError(
  run: RunContext,
  tenant: Tenant,
  error: unknown,
  step: StepName | null,
  errorClass: ErrorClass | null,
): TenancyError {
  if (error instanceof TenancyError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && error.stack) run.logs.write(tenant.id, `${wallClock().toISOString()} ${error.stack}`);
  const engine = run.clusters.opened(tenant.cluster);
  const unreachable = engine?.describeUnreachable(error);
  if (unreachable) return unreachable;
  if (errorClass === 'connection') {
    const where = engine?.where ?? tenant.cluster;
    return new TenancyError('TENANCY_CLUSTER_UNREACHABLE', { cluster: tenant.cluster, where, reason }, { cause: error });
  }
  if (errorClass === 'denied') {
    const details = { tenant: tenant.id, step: step ?? 'start', cluster: tenant.cluster, reason };
    return new TenancyError('TENANCY_RIGHT_MISSING', details, { cause: error });
  }
  return new TenancyError('TENANCY_STEP_FAILED', { tenant: tenant.id, step: step ?? 'start', reason }, { cause: error });
}
