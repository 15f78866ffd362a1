import type { MongoClient, MongoClientOptions } from 'mongodb';
import { TenancyError } from '../../errors.js';
import { settlesWithin } from '../../util/abort.js';
import { loadMongodb, type MongodbLibrary } from '../../util/load-mongodb.js';
import { describeMongodbUrl, mongodbOptionOf, parseMongodbUrl } from '../../util/mongodb-url.js';
import { remember } from '../../util/remember.js';
import type { ClusterEngine, OpenClusterOptions } from '../driver.js';
import { classifyMongodbError } from './classify.js';
import { CommandWatch } from './command-watch.js';
import { ControlClient } from './control-client.js';
import { createMongodbDatabaseDriver } from './database-driver.js';
import type { EngineContext } from './engine-context.js';
import { readConnections, readFacts } from './facts.js';
import { readIdentity } from './identity.js';
import { LoanQueue } from './loan-queue.js';
import { describeUnreachable } from './unreachable.js';

const IDLE_TIMEOUT_MS = 30_000;
/** An election is over in 12 s by default; the client's own 30 s are long for a command that nobody answers. */
const SELECTION_TIMEOUT_MS = 15_000;
const CLOSE_TIMEOUT_MS = 3_000;
/** What ends others has nothing to wait for. */
const CONTROL_TIMEOUT_MS = 3_000;

/** Opens no connection yet: the first is made when somebody asks for it. */
export async function openMongodbCluster(options: OpenClusterOptions): Promise<ClusterEngine> {
  const { cluster, url, maxConnections } = options;
  if (parseMongodbUrl(url) === null) {
    throw new TenancyError('TENANCY_CLUSTER_URL_REJECTED', { cluster, reason: 'it is not a well-formed mongodb:// URL' });
  }
  const library = loadMongodb(`clusters.${cluster}`);
  const where = describeMongodbUrl(url);
  const client = createClient(library, options, { maxPoolSize: maxConnections, monitorCommands: true });
  const control = new ControlClient(() => createClient(library, options, { maxPoolSize: 1, socketTimeoutMS: CONTROL_TIMEOUT_MS }));
  const loans = new LoanQueue(maxConnections);
  const watch = new CommandWatch(client, (sessions) => control.killSessions(sessions));
  const connecting = new Map<MongoClient, Promise<unknown>>();
  const connect = (): Promise<unknown> => remember(connecting, client, () => client.connect());
  const context: EngineContext = { cluster, url, client, loans, watch, connect };
  const driver = createMongodbDatabaseDriver(context);
  return {
    cluster,
    where,
    engine: 'mongodb',
    readIdentity: () => connect().then(() => readIdentity(context)),
    readFacts: () => connect().then(() => readFacts(context)),
    readConnections: () => connect().then(() => readConnections(context)),
    query: async () => {
      throw new TenancyError('TENANCY_CLUSTER_QUERY_REFUSED', {
        cluster,
        engine: 'MongoDB',
        call: 'a statement of SQL',
        instead: '`check` with ctx.mongo()',
      });
    },
    adminDatabase: () => client.db('admin'),
    driver: (name) => {
      if (name === driver.name) return driver;
      throw new TenancyError('TENANCY_DRIVER_MISPLACED', { cluster, driver: name, engine: 'MongoDB', drivers: [driver.name] });
    },
    classify: classifyMongodbError,
    describeUnreachable: (error) => describeUnreachable(cluster, where, error),
    close: async () => {
      loans.close();
      // It says goodbye for its sessions, to whoever has gone silent too.
      await settlesWithin(client.close(), CLOSE_TIMEOUT_MS);
    },
  };
}

/**
 * Besides the pool a client holds one connection to each server that it watches (polling, so that it is one and not two), as the
 * specification of MongoDB's drivers has it.
 */
function createClient(
  { MongoClient }: MongodbLibrary,
  { cluster, url, applicationName }: OpenClusterOptions,
  options: MongoClientOptions,
): MongoClient {
  try {
    return new MongoClient(url, {
      appName: applicationName,
      maxIdleTimeMS: IDLE_TIMEOUT_MS,
      serverMonitoringMode: 'poll',
      ...(mongodbOptionOf(url, 'serverSelectionTimeoutMS') === null ? { serverSelectionTimeoutMS: SELECTION_TIMEOUT_MS } : {}),
      ...options,
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TenancyError('TENANCY_CLUSTER_URL_REJECTED', { cluster, reason }, { cause });
  }
}
