import { FAILED_OUTCOMES, Tally } from '../../fleet/tally.js';
import type { TenantOutcome } from '../../outcome.js';
import type { Registry } from '../../registry/registry.js';

const PAGE = 500;

export async function readFailed(registry: Registry, runId: string): Promise<readonly TenantOutcome[]> {
  const tally = new Tally();
  let after: string | null = null;
  for (;;) {
    const page: readonly TenantOutcome[] = await registry.listOutcomes(runId, { outcomes: FAILED_OUTCOMES }, { after, limit: PAGE });
    for (const outcome of page) tally.add(outcome);
    after = page.at(-1)?.tenant ?? null;
    // Worst first, as of any other run.
    if (after === null || page.length < PAGE) return tally.failed;
  }
}
