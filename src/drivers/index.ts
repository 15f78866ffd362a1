import { TenancyError } from '../errors.js';
import type { ClusterEngine, EngineName, OpenClusterOptions } from './driver.js';
import { engineOfUrl } from './names.js';

type OpenCluster = (options: OpenClusterOptions) => Promise<ClusterEngine>;

/** An engine's code and its client library are loaded when a cluster of it is opened. */
const ENGINES = {
  postgres: async (options) => (await import('./postgres/engine.js')).openPostgresCluster(options),
  mysql: async (options) => (await import('./mysql/engine.js')).openMysqlCluster(options),
  mongodb: async (options) => (await import('./mongodb/engine.js')).openMongodbCluster(options),
} satisfies Record<EngineName, OpenCluster>;

/**
 * Opens the engine that a cluster's URL asks for. No connection is made before it is needed.
 *
 * @throws TenancyError `TENANCY_CLUSTER_URL_REJECTED`.
 */
export async function openClusterEngine(options: OpenClusterOptions): Promise<ClusterEngine> {
  const engine = engineOfUrl(options.url);
  if (engine !== null) return ENGINES[engine](options);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(options.url)?.[1];
  const reason = scheme === undefined ? 'it is not a URL' : `${scheme}: is not a kind of server that tenancy knows`;
  throw new TenancyError('TENANCY_CLUSTER_URL_REJECTED', { cluster: options.cluster, reason });
}
