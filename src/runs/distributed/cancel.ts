import { LEASE_MS } from '../../lifecycle/leases.js';
import type { Registry, Run } from '../../registry/registry.js';
import { sleep } from '../../util/abort.js';
import { monotonicMs } from '../../util/clock.js';
import type { ControlAnswer } from '../control-run.js';
import { isOfWorkers, ownerOfRun, requireDistribution } from './deployment.js';
import { QUIET_MS, settleRun } from './settle.js';

const LOOK_MS = 250;

/**
 * Cancels a run that was handed to workers. Those that have a part of it end it; where none has one, it is ended here.
 * A run that nobody works on and nobody follows is not over, as any other would be: its slots wait for workers.
 */
export async function cancelDistributed(registry: Registry, run: Run, ask: () => Promise<ControlAnswer>): Promise<ControlAnswer> {
  if (!isOfWorkers(run)) return ask();
  await registry.hearRun(run.id, { owner: ownerOfRun(run.id), ttlMs: LEASE_MS, isHolding: run.status === 'paused' });
  const answer = await ask();
  await settleWhereQuiet(registry, answer.run);
  return { ...answer, run: (await registry.findRun(run.id)) ?? answer.run };
}

/** Returns at once where somebody has something in flight, who will end it. */
async function settleWhereQuiet(registry: Registry, run: Run): Promise<void> {
  const distribution = requireDistribution(registry);
  const sinceMs = monotonicMs();
  while (monotonicMs() - sinceMs < QUIET_MS) {
    const kept = await registry.findRun(run.id);
    if (kept === null || !isOfWorkers(kept)) return;
    if ((await distribution.listInFlight(run.id)).length > 0) return;
    await sleep(LOOK_MS);
  }
  await settleRun(registry, run, { reason: 'cancelled', detail: null });
}
