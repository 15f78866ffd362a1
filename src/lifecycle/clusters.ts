import type { ResolvedConfig } from '../config/types.js';
import type { ClusterEngine, ConnectionFacts } from '../drivers/driver.js';
import { openClusterEngine } from '../drivers/index.js';
import { TenancyError } from '../errors.js';
import type { Registry } from '../registry/registry.js';
import { remember } from '../util/remember.js';
import type { Servers } from './servers.js';

/** The clusters of a config, each opened when first needed and checked to be the server it was. */
export interface Clusters {
  /**
   * @throws TenancyError `TENANCY_CLUSTER_UNKNOWN`, `TENANCY_CLUSTER_CHANGED`, or the engine's own error; a failure is not
   * remembered, so that a later call tries again.
   */
  engine(name: string, neededBy: string): Promise<ClusterEngine>;
  /** What there is of connections, asked at the same time as `engine` checks who it is. @throws as `engine` does, but for a changed one */
  readConnections(name: string, neededBy: string): Promise<ConnectionFacts>;
  /** The engine if it is open; for classifying what it threw. */
  opened(name: string): ClusterEngine | null;
  /** True for an opened cluster whose server we start and stop ourselves. */
  isEmbedded(name: string): boolean;
  close(): Promise<void>;
}

export interface ClustersOptions {
  readonly config: ResolvedConfig;
  readonly registry: Registry | null;
  readonly servers: Servers;
  readonly acceptCluster: readonly string[];
  /** Identities are compared and none is remembered. */
  readonly dryRun: boolean;
}

export function createClusters({ config, registry, servers, acceptCluster, dryRun }: ClustersOptions): Clusters {
  const opening = new Map<string, Promise<ClusterEngine>>();
  const engines = new Map<string, ClusterEngine>();
  const embedded = new Set<string>();
  const checked = new Map<string, Promise<void>>();

  async function open(name: string, neededBy: string): Promise<ClusterEngine> {
    const cluster = config.clusters[name];
    if (!cluster) {
      throw new TenancyError('TENANCY_CLUSTER_UNKNOWN', { tenant: neededBy, cluster: name, known: Object.keys(config.clusters) });
    }
    const { url, isEmbedded } = await servers.urlOf(cluster.url, `clusters.${name}.url`);
    if (isEmbedded) embedded.add(name);
    const engine = await openClusterEngine({
      cluster: name,
      url,
      maxConnections: cluster.concurrency,
      extensionsSchema: config.extensionsSchema,
      applicationName: 'tenancy',
    });
    engines.set(name, engine);
    return engine;
  }

  async function check(engine: ClusterEngine): Promise<void> {
    if (!registry) return;
    const identity = await engine.readIdentity();
    const answer = await registry.checkCluster(engine.cluster, identity, { accept: acceptCluster.includes(engine.cluster), dryRun });
    if (answer.status === 'different') {
      throw new TenancyError('TENANCY_CLUSTER_CHANGED', { cluster: engine.cluster, known: answer.known, found: identity });
    }
  }

  return {
    engine: async (name, neededBy) => {
      const engine = await remember(opening, name, () => open(name, neededBy));
      await remember(checked, name, () => check(engine));
      return engine;
    },
    readConnections: async (name, neededBy) => (await remember(opening, name, () => open(name, neededBy))).readConnections(),
    opened: (name) => engines.get(name) ?? null,
    isEmbedded: (name) => embedded.has(name),
    close: async () => {
      await Promise.allSettled([...opening.values(), ...checked.values()]);
      await Promise.allSettled([...engines.values()].map((engine) => engine.close()));
    },
  };
}
