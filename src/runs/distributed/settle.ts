import type { OutcomeCounts, TenantOutcome } from '../../outcome.js';
import { TENANT_OUTCOMES } from '../../outcome.js';
import type { Registry, Run, TenantFilter } from '../../registry/registry.js';
import { countRemoved } from '../count-removed.js';
import type { DrainCause } from '../draining.js';
import { readTenants } from '../read-tenants.js';
import { decideExitCode, INTERRUPTING } from '../report.js';
import { ownerOfRun, readDistributed, readTenantsOfRun, requireDistribution } from './deployment.js';
import { isOutOfRoom } from './out-of-room.js';
import { readFailed } from './read-failed.js';

const BATCH = 500;
/** Workers ask once a second what is asked of their run: after so long with nothing in flight nobody begins anything more. */
export const QUIET_MS = 3_000;

/**
 * Ends a run that workers carry out, once all that it was to do is done, or once nothing is in flight of one that was stopped; before that it does nothing.
 * Of several who think at the same time that they are the last one ends it.
 */
export async function settleRun(
  registry: Registry,
  { id: runId, command, selected, options }: Run,
  drained: Pick<DrainCause, 'reason' | 'detail'> | null,
): Promise<void> {
  const distribution = requireDistribution(registry);
  const filter = readTenantsOfRun({ id: runId, command, options });
  const cause =
    drained?.reason === 'cancelled' && (await isOutOfRoom(registry, runId)) ? { ...drained, reason: 'resources' as const } : drained;
  if (cause) {
    if ((await distribution.listInFlight(runId)).length > 0) return;
    await recordNotStarted(registry, runId, filter);
  } else if (await distribution.hasLeft(runId, filter)) return;
  const recorded = await registry.countOutcomes(runId);
  const total = Object.values(recorded).reduce((sum, count) => sum + count, 0);
  const missing = Math.max(0, selected - total);
  const upToDate = readDistributed({ options })?.upToDate ?? 0;
  const removed = await countRemoved(registry, { runId, filter, missing: Math.max(0, missing - upToDate) });
  const counts: OutcomeCounts = {
    ...recorded,
    skipped: recorded.skipped + removed,
    'up-to-date': recorded['up-to-date'] + missing - removed,
  };
  const notStarted = counts['not-started'];
  const reason = cause?.reason ?? null;
  await registry.finishRun(runId, {
    status: reason !== null && INTERRUPTING.has(reason) ? 'interrupted' : 'finished',
    owner: ownerOfRun(runId),
    counts,
    notStarted,
    exitCode: decideExitCode(selected, await readFailed(registry, runId), reason),
    reason,
    stopped: cause && { reason: cause.reason, wave: null, waves: null, detail: cause.detail, notStarted },
  });
}

async function recordNotStarted(registry: Registry, runId: string, filter: TenantFilter): Promise<void> {
  let batch: TenantOutcome[] = [];
  const flush = async (): Promise<void> => {
    const records = batch.map((outcome) => ({ outcome, owner: ownerOfRun(runId), fence: 0, lastError: null }));
    batch = [];
    await registry.recordOutcomes(runId, records);
  };
  const ended = { runId, outcomes: TENANT_OUTCOMES };
  const isEnded = new Set<string>();
  for await (const { id } of readTenants(registry, { ...filter, ofRun: ended })) isEnded.add(id);
  for await (const { id, cluster, schemaVersion: from } of readTenants(registry, filter)) {
    if (isEnded.has(id)) continue;
    batch.push({ tenant: id, cluster, outcome: 'not-started', attempts: 0, from, to: null, ms: 0 });
    if (batch.length === BATCH) await flush();
  }
  await flush();
}
