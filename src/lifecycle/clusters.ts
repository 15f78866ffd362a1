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
  /** What tells the server of an opened cluster from others: two clusters may be databases of the same one. Null where there is no registry to compare with. */
  readServer(name: string): Promise<string | null>;
  /**
   * Whether two are one: a config may name a server twice, say with logins of its tenants' own and without. The other is opened. Where it can't be, it is
   * another.
   * @param within `database`: what is seen from here is one database of the server
   */
  isOne(name: string, other: string, within: 'database' | 'server'): Promise<boolean>;
  /** The engine if it is open; for classifying what it threw. */
  opened(name: string): ClusterEngine | null;
  /** True for an opened cluster whose server we start and stop ourselves. */
  isEmbedded(name: string): boolean;
  close(): Promise<void>;
}

/**
 * Uses a cluster outside of a run over tenants, which tries again and tells by itself: an error of the engine's is thrown as the sentence for it.
 * @throws as `engine` does, and TenancyError `TENANCY_CLUSTER_UNREACHABLE`, `TENANCY_CLUSTER_REFUSED`
 */
export async function useCluster<T>(
  clusters: Clusters,
  { name, neededBy }: { readonly name: string; readonly neededBy: string },
  use: (engine: ClusterEngine) => Promise<T>,
): Promise<T> {
  try {
    return await use(await clusters.engine(name, neededBy));
  } catch (error) {
    const engine = clusters.opened(name);
    throw engine === null ? error : toTold(engine, error);
  }
}

/** Whatever else an engine's error may be called, a bug of ours it isn't. */
function toTold(engine: ClusterEngine, error: unknown): unknown {
  if (error instanceof TenancyError) return error;
  const { cluster, where } = engine;
  const errorClass = engine.classify(error);
  const reason = error instanceof Error ? error.message : String(error);
  const unreachable = engine.describeUnreachable(error);
  if (unreachable !== null || errorClass === 'fatal') return unreachable ?? error;
  return new TenancyError('TENANCY_CLUSTER_REFUSED', { cluster, where, reason, isDenied: errorClass === 'denied' }, { cause: error });
}

export interface ClustersOptions {
  readonly config: ResolvedConfig;
  readonly registry: Registry | null;
  readonly servers: Servers;
  readonly acceptCluster: readonly string[];
  /** Identities are compared and none is remembered. */
  readonly dryRun: boolean;
  /** Engines that outlive these clusters, by cluster, where they are worth it; closed by who owns the map. */
  readonly kept: Map<string, KeptEngine>;
}

export interface KeptEngine {
  readonly engine: ClusterEngine;
  /** What the registry has agreed to, so that it need not be asked again while the server says the same. */
  identity: string | null;
}

export function createClusters({ config, registry, servers, acceptCluster, dryRun, kept }: ClustersOptions): Clusters {
  const opening = new Map<string, Promise<ClusterEngine>>();
  const engines = new Map<string, ClusterEngine>();
  const embedded = new Set<string>();
  const identified = new Map<string, Promise<string>>();
  const checked = new Map<string, Promise<void>>();

  async function open(name: string, neededBy: string): Promise<ClusterEngine> {
    const cluster = config.clusters[name];
    if (!cluster) {
      throw new TenancyError('TENANCY_CLUSTER_UNKNOWN', { tenant: neededBy, cluster: name, known: Object.keys(config.clusters) });
    }
    const { url, isEmbedded } = await servers.urlOf(cluster.url, `clusters.${name}.url`);
    if (isEmbedded) embedded.add(name);
    const before = kept.get(name)?.engine;
    const engine =
      before ??
      (await openClusterEngine({
        cluster: name,
        url,
        maxConnections: cluster.concurrency,
        extensionsSchema: config.extensionsSchema,
        applicationName: 'tenancy',
      }));
    engines.set(name, engine);
    if (engine.rest && !kept.has(name)) kept.set(name, { engine, identity: null });
    return engine;
  }

  async function check(engine: ClusterEngine): Promise<void> {
    if (!registry) return;
    const identity = await remember(identified, engine.cluster, () => engine.readIdentity());
    const held = kept.get(engine.cluster);
    if (held?.engine === engine && held.identity === identity) return;
    const answer = await registry.checkCluster(engine.cluster, identity, { accept: acceptCluster.includes(engine.cluster), dryRun });
    if (answer.status === 'different') {
      throw new TenancyError('TENANCY_CLUSTER_CHANGED', { cluster: engine.cluster, known: answer.known, found: identity });
    }
    if (held?.engine === engine && !dryRun) held.identity = identity;
  }

  async function identify(name: string): Promise<string> {
    const engine = await remember(opening, name, () => open(name, name));
    return remember(identified, name, () => engine.readIdentity());
  }

  return {
    engine: async (name, neededBy) => {
      const engine = await remember(opening, name, () => open(name, neededBy));
      await remember(checked, name, () => check(engine));
      return engine;
    },
    readConnections: async (name, neededBy) => {
      const engine = await remember(opening, name, () => open(name, neededBy));
      // On the connection that this leaves, while the registry is asked whether it is the server that it was.
      if (registry) await remember(identified, name, () => engine.readIdentity());
      return engine.readConnections();
    },
    readServer: async (name) => {
      const identity = await identified.get(name);
      return identity === undefined ? null : serverOf(identity);
    },
    isOne: async (name, other, within) => {
      if (name === other) return true;
      const [one, two] = await Promise.all([name, other].map(identify)).catch(() => [null, null]);
      if (one == null || two == null) return false;
      return one === two || (within === 'server' && serverOf(one) === serverOf(two));
    },
    opened: (name) => engines.get(name) ?? null,
    isEmbedded: (name) => embedded.has(name),
    close: async () => {
      await Promise.allSettled([...opening.values(), ...checked.values()]);
      // Of two runs that opened one at the same time, only one's is kept.
      const isKept = (engine: ClusterEngine): boolean => kept.get(engine.cluster)?.engine === engine;
      await Promise.allSettled([...engines.values()].map((engine) => (isKept(engine) && engine.rest ? engine.rest() : engine.close())));
    },
  };
}

/** PostgreSQL's identity is that of a database; of the others' none begins so. */
function serverOf(identity: string): string {
  return /^(\d+)\//.exec(identity)?.[1] ?? identity;
}
