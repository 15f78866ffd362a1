import type { SlotHold } from '../../executors/slot-hold.js';
import type { SlotQueue } from '../../executors/slot-queue.js';
import { monotonicMs } from '../../util/clock.js';
import { createOwnerId } from '../../util/names.js';
import { rejectChoice } from '../../util/reject-choice.js';
import { remember } from '../../util/remember.js';
import type { RunSignals } from '../execute-run.js';
import type { Workspace } from '../workspace.js';
import { digestDeployment, isOfWorkers, openQueue, readDistributed, requireDistribution } from './deployment.js';
import { keepPools } from './keep-pools.js';
import { type Participation, takePart } from './take-part.js';
import { tendPlaces } from './tend-places.js';

export interface WorkerOptions {
  /** Tenants in flight in this worker. @default the sum of its clusters' caps */
  readonly concurrency: number | null;
  /** Takes part on these only. @default all of the config */
  readonly clusters: readonly string[];
  /** Ends when there is nothing to do. */
  readonly untilIdle: boolean;
  /** `drain`: finishes what is in flight and hands the rest back. */
  readonly signals: RunSignals;
}

/** Nothing is there for so long. */
const IDLE_MS = 3_000;
/** How often runs of other deployments are looked for. */
const LOOK_MS = 30_000;
/** How often it is looked whether a run of this deployment has places that nobody sent on: whoever had them may have died in between. */
const TEND_MS = 5_000;
/** So many of the newest runs are looked at. */
const NEWEST = 20;

/** Takes part in the runs that others have handed to workers, until it is told to rest. */
export async function serveRuns(workspace: Workspace, options: WorkerOptions): Promise<void> {
  const { config } = workspace;
  const clusters = options.clusters.length > 0 ? options.clusters : Object.keys(config.clusters);
  refuseUnknown(clusters, Object.keys(config.clusters));
  const registry = await workspace.registry();
  requireDistribution(registry);
  const deployment = await digestDeployment(config);
  const queue = await openQueue(workspace, deployment);
  const parts = new Map<string, Promise<Participation>>();
  const slots = new Map<string, number>();
  const worker = createOwnerId();
  const resting = new AbortController();
  const rest = (): void => resting.abort();
  if (options.signals.drain.aborted) rest();
  else options.signals.drain.addEventListener('abort', rest, { once: true });
  const pools = keepPools(workspace, clusters, options.signals);
  const strangers = watchStrangers(workspace, deployment);
  const tending = tendRuns(workspace, queue, deployment);
  let idleSinceMs: number | null = null;

  async function handle(hold: SlotHold): Promise<boolean> {
    const { runId, cluster } = hold.slot;
    idleSinceMs = null;
    pools.noteBusy();
    const kept = await registry.findRun(runId);
    // It has ended since, or somebody goes on with it without workers.
    if (kept === null || !isOfWorkers(kept)) return false;
    slots.set(runId, (slots.get(runId) ?? 0) + 1);
    try {
      const part = await remember(parts, runId, () => takePart(workspace, kept, worker, options.signals));
      const tellLost = (): void =>
        workspace.notice(`the queue has given a place on ${cluster} to another worker: what is in flight in it is ended here`);
      hold.lost.addEventListener('abort', tellLost, { once: true });
      return await part.workSlot(hold).finally(() => hold.lost.removeEventListener('abort', tellLost));
    } finally {
      const left = (slots.get(runId) ?? 1) - 1;
      slots.set(runId, left);
      if (left === 0) await leave(runId);
    }
  }

  async function restUnlessNeeded(): Promise<void> {
    if (await tending.look()) idleSinceMs = null;
    else if (idleSinceMs !== null) rest();
  }

  async function leave(runId: string): Promise<void> {
    const part = parts.get(runId);
    parts.delete(runId);
    slots.delete(runId);
    await (await part?.catch(() => null))?.close();
  }

  const caps = clusters.reduce((sum, name) => sum + (config.clusters[name]?.concurrency ?? 0), 0);
  workspace.notice(`waiting for runs on ${clusters.join(', ')}; Ctrl-C finishes what is in flight and ends`);
  try {
    await queue.work({
      worker,
      clusters,
      concurrency: Math.max(1, options.concurrency ?? caps),
      resting: resting.signal,
      handle,
      sendOn: async ({ runId }) => void (await tendPlaces(workspace, queue, runId)),
      onIdle: () => {
        pools.noteIdle();
        idleSinceMs ??= monotonicMs();
        if (options.untilIdle && monotonicMs() - idleSinceMs >= IDLE_MS) void restUnlessNeeded();
      },
    });
  } finally {
    options.signals.drain.removeEventListener('abort', rest);
    strangers.close();
    await tending.close();
    await pools.close();
    for (const runId of [...parts.keys()]) await leave(runId);
    await queue.close();
  }
}

function refuseUnknown(clusters: readonly string[], known: readonly string[]): void {
  const unknown = clusters.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw rejectChoice('--cluster', unknown, known);
}

interface Tending {
  /** True: places were sent on. */
  look(): Promise<boolean>;
  close(): Promise<void>;
}

/** Looks after the runs of this deployment whose places somebody left without sending them on, such as one that was killed in between. */
function tendRuns(workspace: Workspace, queue: SlotQueue, deployment: string): Tending {
  let looking: Promise<boolean> | null = null;
  async function tendAll(): Promise<boolean> {
    const registry = await workspace.registry();
    let isAnySent = false;
    for (const run of await registry.listRuns({ before: null, limit: NEWEST })) {
      if (!isOfWorkers(run) || readDistributed(run)?.deployment !== deployment) continue;
      if (await tendPlaces(workspace, queue, run.id)) isAnySent = true;
    }
    return isAnySent;
  }
  function look(): Promise<boolean> {
    looking ??= tendAll()
      .catch(() => false)
      .finally(() => {
        looking = null;
      });
    return looking;
  }
  const timer = setInterval(() => void look(), TEND_MS);
  return {
    look,
    close: async () => {
      clearInterval(timer);
      await looking;
    },
  };
}

/** Says it once of each run that waits for workers with other migrations than there are here. */
function watchStrangers(workspace: Workspace, deployment: string): { close(): void } {
  const told = new Set<string>();
  async function look(): Promise<void> {
    const registry = await workspace.registry();
    for (const run of await registry.listRuns({ before: null, limit: NEWEST })) {
      if (!isOfWorkers(run) || readDistributed(run)?.deployment === deployment || told.has(run.id)) continue;
      told.add(run.id);
      const target = run.target === null ? '' : `, which goes to ${run.target},`;
      workspace.notice(`the run ${run.id}${target} was begun with other migrations than are here: it needs workers of its own deploy`);
    }
  }
  const timer = setInterval(() => void look().catch(() => undefined), LOOK_MS);
  void look().catch(() => undefined);
  return { close: () => clearInterval(timer) };
}
