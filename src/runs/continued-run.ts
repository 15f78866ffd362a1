import { FAILED_OUTCOMES } from '../fleet/tally.js';
import type { OutcomeCounts, TenantOutcome, TenantOutcomeType } from '../outcome.js';
import { TENANT_OUTCOMES } from '../outcome.js';
import type { Registry, Run } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';
import type { RunPlan } from './lanes.js';

const PAGE = 500;
/** Of a run that was interrupted, what is not taken up again: a tenant that failed has failed, as it would have without the interruption. */
const ENDED = ['applied', 'up-to-date', 'failed', 'unverified', 'unknown', 'skipped'] as const satisfies TenantOutcomeType[];

/** A run that is gone on with under its own id, and what it had come to. */
export interface ContinuedRun {
  readonly id: string;
  readonly selected: number;
  /** Of those that have ended. */
  readonly counts: OutcomeCounts;
  readonly failed: readonly TenantOutcome[];
  readonly done: number;
  /** Ids of those that have ended, in a run that is small enough to know its own; empty elsewhere. */
  readonly ended: ReadonlySet<string>;
}

export async function loadContinued(registry: Registry, run: Run, options: { readonly keepsIds: boolean }): Promise<ContinuedRun> {
  const all = await registry.countOutcomes(run.id);
  const counts = Object.fromEntries(
    TENANT_OUTCOMES.map((type) => [type, (ENDED as readonly string[]).includes(type) ? all[type] : 0]),
  ) as Record<TenantOutcomeType, number>;
  const failed: TenantOutcome[] = [];
  for await (const outcome of readOutcomes(registry, run.id, FAILED_OUTCOMES)) failed.push(outcome);
  const ended = new Set<string>();
  if (options.keepsIds) for await (const { tenant } of readOutcomes(registry, run.id, ENDED)) ended.add(tenant);
  const done = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { id: run.id, selected: run.selected, counts, failed, done, ended };
}

/** The plan of the whole run, save for what has ended in it. */
export function planContinued<Plan extends RunPlan>(plan: Plan, continued: ContinuedRun, registry: Registry): Plan {
  const selected = Math.max(plan.selected, continued.selected);
  const working = Object.values(plan.clusters).reduce((sum, { tenants }) => sum + tenants, 0);
  const left = Math.max(0, Math.min(working, selected - continued.done));
  const lanes = plan.lanes.map((lane) => ({
    ...lane,
    tenants: { [Symbol.asyncIterator]: () => leaveOutEnded(registry, continued.id, lane.tenants) },
  }));
  return { ...plan, selected, upToDate: selected - left, lanes };
}

/** Both come in the order of ids, so that neither has to be held in memory. */
export async function* leaveOutEnded(registry: Registry, runId: string, tenants: AsyncIterable<Tenant>): AsyncGenerator<Tenant> {
  const outcomes = readOutcomes(registry, runId, ENDED);
  let next = await outcomes.next();
  for await (const tenant of tenants) {
    while (!next.done && next.value.tenant < tenant.id) next = await outcomes.next();
    if (next.done || next.value.tenant !== tenant.id) yield tenant;
  }
}

async function* readOutcomes(
  registry: Registry,
  runId: string,
  outcomes: readonly TenantOutcomeType[],
): AsyncGenerator<TenantOutcome, void> {
  let after: string | null = null;
  for (;;) {
    const page: readonly TenantOutcome[] = await registry.listOutcomes(runId, { outcomes }, { after, limit: PAGE });
    yield* page;
    after = page.at(-1)?.tenant ?? null;
    if (after === null || page.length < PAGE) return;
  }
}
