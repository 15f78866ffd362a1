import { TenancyError } from '../../errors.js';
import { explainMysqlUrl, parseMysqlUrl } from '../../util/mysql-url.js';
import type { ClusterEngine, OpenClusterOptions, TenantDriver } from '../driver.js';
import { classifyMysqlError } from './classify.js';
import { ConnectionBudget } from './connection-budget.js';
import { createMysqlDatabaseDriver } from './database-driver.js';
import { type EngineContext, readRows, withConnection } from './engine-context.js';
import { readConnections, readFacts } from './facts.js';
import { readIdentity } from './identity.js';
import { quoteName } from './quote.js';
import { describeUnreachable } from './unreachable.js';

/** MySQL from 8.0 and MariaDB from 10.6 on. Opens no connection yet: each is made when somebody asks for it. */
export async function openMysqlCluster({ cluster, url, maxConnections, applicationName }: OpenClusterOptions): Promise<ClusterEngine> {
  const address = parseMysqlUrl(url);
  if (address === null) {
    throw new TenancyError('TENANCY_CLUSTER_URL_REJECTED', { cluster, reason: explainMysqlUrl(url) ?? 'it is not a mysql:// URL' });
  }
  const budget = new ConnectionBudget({ address, maxConnections, applicationName });
  const context: EngineContext = { cluster, url, address, budget, ledger: { isEnsured: false } };
  let driver: TenantDriver | null = null;
  return {
    cluster,
    where: address.where,
    engine: 'mysql',
    readIdentity: () => withConnection(context, undefined, readIdentity),
    readFacts: () => withConnection(context, undefined, (connection) => readFacts(connection, budget.taken)),
    readConnections: () => withConnection(context, undefined, (connection) => readConnections(connection, budget.taken)),
    query: (sql, params, signal) =>
      withConnection(context, signal, async (connection) => {
        // None of the connections is bound to a database.
        if (address.database !== null) await connection.send(`USE ${quoteName(address.database)}`);
        return readRows(connection, sql, params);
      }),
    driver: (name) => {
      if (name !== 'mysql-database')
        throw new TenancyError('TENANCY_DRIVER_MISPLACED', { cluster, driver: name, engine: 'MySQL', drivers: ['mysql-database'] });
      driver ??= createMysqlDatabaseDriver(context);
      return driver;
    },
    classify: classifyMysqlError,
    describeUnreachable: (error) => describeUnreachable(cluster, address.where, error),
    close: () => budget.close(),
  };
}
