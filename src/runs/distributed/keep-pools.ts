import { monotonicMs } from '../../util/clock.js';
import { redact } from '../../util/redact.js';
import type { RunSignals } from '../execute-run.js';
import { fillPools } from '../pool/fill-pool.js';
import type { Workspace } from '../workspace.js';

/** So long after it was looked at a pool is looked at again. */
const EVERY_MS = 10_000;

/** Fills the warm pools of a worker's clusters while it has nothing else to do. */
export interface PoolKeeper {
  /** The worker has nothing to do at this moment. */
  noteIdle(): void;
  /** It has: no more homes are begun. */
  noteBusy(): void;
  /** Resolves when nothing is being made any more. */
  close(): Promise<void>;
}

/** What fails there is told, once as long as it stays the same, and ends nothing: tenants are made without a pool too. */
export function keepPools(workspace: Workspace, clusters: readonly string[], { drain, abort }: RunSignals): PoolKeeper {
  const names = clusters.filter((name) => workspace.config.clusters[name]?.pool);
  const told = new Map<string, string>();
  let busy = new AbortController();
  let filling: Promise<void> | null = null;
  let lookedAtMs: number | null = null;

  function warn(cluster: string, problem: string | null): void {
    if (problem === null) told.delete(cluster);
    else if (told.get(cluster) !== problem) {
      told.set(cluster, problem);
      workspace.notice(`the pool of ${cluster} could not be filled: ${problem}`);
    }
  }

  async function fill(signals: RunSignals): Promise<void> {
    for (const cluster of names) {
      if (signals.drain.aborted) return;
      try {
        const [filled] = await fillPools(workspace, { cluster, leavesUnknown: true, signals });
        const { made = 0, mended = 0, failed = [] } = filled ?? {};
        if (made + mended > 0) workspace.notice(`the pool of ${cluster} was filled: ${made} made, ${mended} mended`);
        warn(cluster, failed[0]?.message ?? null);
      } catch (error) {
        if (!abort.aborted) warn(cluster, redact(error instanceof Error ? error.message : String(error)));
      }
    }
  }

  return {
    noteIdle: () => {
      const isEarly = lookedAtMs !== null && monotonicMs() - lookedAtMs < EVERY_MS;
      if (names.length === 0 || filling || isEarly || drain.aborted) return;
      busy = new AbortController();
      filling = fill({ drain: AbortSignal.any([drain, busy.signal]), abort }).finally(() => {
        filling = null;
        lookedAtMs = monotonicMs();
      });
    },
    noteBusy: () => busy.abort(),
    close: async () => {
      await filling;
    },
  };
}
