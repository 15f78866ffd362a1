import { TenancyError } from '../../errors.js';
import type { DriverName } from '../../tenant.js';
import type { ClusterEngine, OpenClusterOptions, TenantDriver } from '../driver.js';
import { classifyPostgresError } from './classify.js';
import { describeClusterUrl, parseClusterUrl } from './cluster-url.js';
import { createConnectionBudget } from './connection-budget.js';
import { createPostgresDatabaseDriver } from './database-driver.js';
import { type EngineContext, withClient } from './engine-context.js';
import { readConnections, readFacts, readIdentity } from './facts.js';
import { createPostgresSchemaDriver } from './schema-driver.js';
import { describeUnreachable } from './unreachable.js';

const DRIVERS: Readonly<Partial<Record<DriverName, (context: EngineContext) => TenantDriver>>> = {
  'postgres-schema': createPostgresSchemaDriver,
  'postgres-database': createPostgresDatabaseDriver,
};

/** Opens no connection yet: each is made when somebody asks for it. */
export async function openPostgresCluster(options: OpenClusterOptions): Promise<ClusterEngine> {
  const { cluster, url, maxConnections, applicationName, extensionsSchema } = options;
  if (parseClusterUrl(url) === null) {
    throw new TenancyError('TENANCY_CLUSTER_URL_REJECTED', { cluster, reason: 'it is not a well-formed postgres:// URL' });
  }
  const where = describeClusterUrl(url);
  const budget = createConnectionBudget({ url, maxConnections, applicationName });
  const context: EngineContext = {
    cluster,
    url,
    budget,
    extensionsSchema,
    ensuredSchemas: new Set(),
    ensuredGroups: new Set(),
    ensuredExtensions: new Map(),
  };
  const drivers = new Map<DriverName, TenantDriver>();
  // Most of what opens a cluster goes on to migrate, and loads this while the server answers.
  void import('./migrate/index.js').catch(() => undefined);
  return {
    cluster,
    where,
    engine: 'postgres',
    readIdentity: () => withClient(context, null, undefined, readIdentity),
    readFacts: () => withClient(context, null, undefined, (client) => readFacts(client, budget.taken)),
    readConnections: () => withClient(context, null, undefined, (client) => readConnections(client, budget.taken)),
    query: (sql, params, signal) => withClient(context, null, signal, async (client) => (await client.query(sql, [...params])).rows),
    driver: (name) => {
      const driver = drivers.get(name) ?? DRIVERS[name]?.(context);
      if (!driver)
        throw new TenancyError('TENANCY_DRIVER_MISPLACED', { cluster, driver: name, engine: 'PostgreSQL', drivers: Object.keys(DRIVERS) });
      drivers.set(name, driver);
      return driver;
    },
    classify: classifyPostgresError,
    describeUnreachable: (error) => describeUnreachable(cluster, where, error),
    close: () => budget.close(),
    rest: () => budget.closeIdleBut(null),
  };
}
