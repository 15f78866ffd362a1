import type { RunCommand } from '../events.js';
import { FAILED_OUTCOMES } from '../fleet/tally.js';
import type { Registry, Run, TenantFilter } from '../registry/registry.js';

const PAGE = 50;

/** The newest run of a command that is over and in which a tenant failed; null where there is none. */
export async function findLastFailed(registry: Registry, command: RunCommand): Promise<Run | null> {
  for (let before: string | null = null; ; ) {
    const page: readonly Run[] = await registry.listRuns({ before, limit: PAGE, command });
    for (const run of page) if (await hasFailed(registry, run)) return run;
    before = page.at(-1)?.id ?? null;
    if (before === null || page.length < PAGE) return null;
  }
}

/** One that was killed left no counts, only the outcomes of its tenants. One that goes on hasn't said its last. */
async function hasFailed(registry: Registry, { id, status, counts }: Run): Promise<boolean> {
  if (status === 'running' || status === 'paused') return false;
  const known = counts ?? (await registry.countOutcomes(id));
  return FAILED_OUTCOMES.some((outcome) => known[outcome] > 0);
}

/** Of what a filter selects, those that failed in this run; nobody without one. */
export function narrowToFailed(filter: TenantFilter, runId: string | null): TenantFilter {
  return runId === null ? { ...filter, ids: [] } : { ...filter, ofRun: { runId, outcomes: FAILED_OUTCOMES } };
}
