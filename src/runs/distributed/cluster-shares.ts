import type { Throttle } from '../../fleet/throttle.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import type { TenantOutcome } from '../../outcome.js';
import type { RunDistribution, TenantFilter } from '../../registry/registry.js';
import { throttleCluster } from '../throttle-clusters.js';
import { createLockedOut, type LockedOut } from './locked-out.js';
import { createTakenLine, type TakenLine } from './taken-line.js';

/** What a worker has of one cluster of a run. */
export interface ClusterShare {
  readonly line: TakenLine;
  readonly lockedOut: LockedOut;
  /** Undefined where the config says nothing of the cluster. */
  readonly throttle: Throttle | undefined;
}

export interface ClusterShares {
  /** Made when the first slot of the cluster comes. */
  of(cluster: string): ClusterShare;
  /** Gives up what was taken and not begun, on all clusters. */
  giveBack(): Promise<void>;
  /** Whether no slot is left on any. */
  areAllLeft(): boolean;
}

export function createClusterShares(
  run: RunContext,
  distribution: RunDistribution,
  options: {
    readonly filter: TenantFilter;
    readonly draining: AbortSignal;
    readonly endLockedOut: (outcomes: readonly TenantOutcome[]) => Promise<void>;
  },
): ClusterShares {
  const shares = new Map<string, ClusterShare>();

  function share(cluster: string): ClusterShare {
    const filter = { ...options.filter, clusters: [cluster] };
    const line = createTakenLine(run, distribution, filter);
    return {
      line,
      lockedOut: createLockedOut(run, distribution, filter, options.endLockedOut),
      throttle: throttleCluster(run, cluster, { draining: options.draining, giveBack: () => line.giveBack() }),
    };
  }

  return {
    of: (cluster) => {
      const known = shares.get(cluster) ?? share(cluster);
      shares.set(cluster, known);
      return known;
    },
    giveBack: async () => {
      await Promise.all([...shares.values()].map(({ line }) => line.giveBack()));
    },
    areAllLeft: () => [...shares.values()].every(({ line }) => line.slots === 0),
  };
}
