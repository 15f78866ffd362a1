import { TenancyError } from '../errors.js';
import type { ClusterEngine, EngineName, OpenClusterOptions } from './driver.js';

interface EngineEntry {
  /** URL schemes, without the colon. */
  readonly schemes: readonly string[];
  open(options: OpenClusterOptions): Promise<ClusterEngine>;
}

/** An engine's code and its client library are loaded when a cluster of it is opened. */
const ENGINES = {
  postgres: {
    schemes: ['postgres', 'postgresql'],
    open: async (options) => (await import('./postgres/engine.js')).openPostgresCluster(options),
  },
  mysql: {
    schemes: ['mysql', 'mariadb'],
    open: async (options) => (await import('./mysql/engine.js')).openMysqlCluster(options),
  },
  mongodb: {
    schemes: ['mongodb', 'mongodb+srv'],
    open: async (options) => (await import('./mongodb/engine.js')).openMongodbCluster(options),
  },
} satisfies Record<EngineName, EngineEntry>;

/**
 * Opens the engine that a cluster's URL asks for. No connection is made before it is needed.
 *
 * @throws TenancyError `TENANCY_CLUSTER_URL_REJECTED`.
 */
export async function openClusterEngine(options: OpenClusterOptions): Promise<ClusterEngine> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(options.url)?.[1]?.toLowerCase();
  const engine = Object.values<EngineEntry>(ENGINES).find(({ schemes }) => scheme !== undefined && schemes.includes(scheme));
  if (engine !== undefined) return engine.open(options);
  throw new TenancyError('TENANCY_CLUSTER_URL_REJECTED', {
    cluster: options.cluster,
    reason: scheme === undefined ? 'it is not a URL' : `${scheme}: is not a kind of server that tenancy knows`,
  });
}
