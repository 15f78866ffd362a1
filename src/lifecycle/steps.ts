import { isTenancyError } from '../errors.js';
import type { StepName } from '../events.js';
import type { NewStepRecord, StepRecord } from '../registry/registry.js';
import type { Tenant, TenantOperation } from '../tenant.js';
import { elapsedMs, monotonicMs } from '../util/clock.js';
import type { RunContext, StepJournal, TenantScope } from './run-context.js';
import { touchByStep } from './touches.js';

/** Carries the name of the step along with what made it fail. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure';
  readonly step: StepName;

  constructor(step: StepName, cause: unknown) {
    super(`step ${step} failed`, { cause });
    this.step = step;
  }
}

export type StepResult = { readonly status?: 'done' | 'done-before'; readonly detail?: string };

/** Runs one step: journal, events, what it sent for the audit trail, and the step's name on whatever it throws. */
export async function runStep(scope: TenantScope, step: StepName, work: () => Promise<StepResult | void>): Promise<void> {
  const { run, tenant, steps } = scope;
  const startedMs = monotonicMs();
  const since = scope.touched.length;
  let hasBegun = false;
  run.emit({ type: 'step.started', tenant: tenant.id, step });
  try {
    scope.signal.throwIfAborted();
    await steps.started(step);
    hasBegun = true;
    const result = (await work()) ?? {};
    if (result.status !== 'done-before') touchByStep(scope, step, since, { isFailed: false, detail: result.detail });
    await steps.finished(step);
    run.emit({
      type: 'step.finished',
      tenant: tenant.id,
      step,
      status: result.status ?? 'done',
      ms: elapsedMs(startedMs),
      ...(result.detail === undefined ? {} : { detail: result.detail }),
    });
  } catch (error) {
    if (hasBegun) touchByStep(scope, step, since, { isFailed: true });
    run.emit({ type: 'step.finished', tenant: tenant.id, step, status: 'failed', ms: elapsedMs(startedMs) });
    // The journal's own failure must not hide the step's; and once the lease is lost the journal is another's.
    if (!isTenancyError(scope.signal.reason, 'TENANCY_LEASE_LOST'))
      await steps.failed(step, error instanceof Error ? error.message : String(error)).catch(() => undefined);
    throw error instanceof StepFailure ? error : new StepFailure(step, error);
  }
}

/** Like `runStep`, but an attempt that was journaled as done is not repeated. */
export async function runStepOnce(scope: TenantScope, step: StepName, work: () => Promise<StepResult | void>): Promise<void> {
  if (!scope.steps.isDone(step)) return runStep(scope, step, work);
  tellDoneBefore(scope, step);
}

export function tellDoneBefore({ run, tenant }: TenantScope, step: StepName): void {
  run.emit({ type: 'step.started', tenant: tenant.id, step });
  run.emit({ type: 'step.finished', tenant: tenant.id, step, status: 'done-before', ms: 0 });
}

/**
 * The journal of an operation. "Done" of one step travels with "started" of the next in one statement: what lies between
 * them is only this process's own next line. `tenant`: as its lease was granted, since whoever has lost it writes nothing here.
 */
export function createStepJournal(
  run: RunContext,
  tenant: Pick<Tenant, 'id' | 'fence'>,
  operation: TenantOperation,
  earlier: readonly Pick<StepRecord, 'step' | 'state'>[],
): StepJournal {
  const states = new Map<string, StepRecord['state']>(earlier.map(({ step, state }) => [step, state]));
  let waiting: NewStepRecord[] = [];
  const record = (step: StepName, state: NewStepRecord['state'], error: string | null = null): NewStepRecord => ({
    operationId: operation.id,
    operation: operation.type,
    tenant: tenant.id,
    fence: tenant.fence,
    step,
    state,
    error,
  });
  async function write(records: readonly NewStepRecord[]): Promise<void> {
    const all = [...waiting, ...records];
    if (all.length > 0) await run.recordSteps(all);
    // Only now: what could not be written goes along with the next.
    waiting = [];
  }
  return {
    isDone: (step) => states.get(step) === 'done',
    hasBegun: (step) => states.has(step),
    started: (step) => write([record(step, 'started')]),
    finished: async (step) => {
      waiting = [record(step, 'done')];
    },
    failed: (step, error) => write([record(step, 'failed', error)]),
    flush: () => write([]),
  };
}

/** For commands whose truth is in the tenant itself (migrate, rollback), and which so need no journal. */
export const noJournal: StepJournal = {
  isDone: () => false,
  hasBegun: () => false,
  started: async () => undefined,
  finished: async () => undefined,
  failed: async () => undefined,
  flush: async () => undefined,
};
