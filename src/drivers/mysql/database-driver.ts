import { parseMysqlUrl, withMysqlDatabase } from '../../util/mysql-url.js';
import type { TenantDriver } from '../driver.js';
import { createMysqlBackups } from './backups.js';
import { cutDatabaseAccess, planDatabaseCut, restoreDatabaseAccess, retainDatabase, unretainDatabase } from './database-access.js';
import { createDatabase, markCommand, markDatabase, unmarkCommand } from './database-create.js';
import { dropDatabase, planDrop, sweepLeftRights } from './database-drop.js';
import { type EngineContext, withConnection } from './engine-context.js';
import { listHomes, presenceOf, readHome } from './home-state.js';
import { inspectDatabase, mendDatabase } from './inspect.js';
import { listBegun } from './ledger.js';
import { createLoginDriver } from './logins.js';
import { runSession } from './run-session.js';

/** One database for each tenant, on the server that the cluster's URL names. */
export function createMysqlDatabaseDriver(context: EngineContext): TenantDriver {
  return {
    name: 'mysql-database',
    capabilities: {
      engine: 'mysql',
      supportsTransactionalDdl: false,
      supportsRename: false,
      supportsCutAccess: false,
      isSharedDatabase: false,
      caveats: [
        'MySQL commits at each DDL statement: a migration that fails keeps the statements before the one that failed, and the next run goes on behind them',
        'where a process died in the middle of a statement that the catalogue tells nothing about, a person has to say what became of it',
        'access is cut for logins with rights on the one database alone; a login that may use all databases keeps its access',
        'a drop removes tables in batches: one that is interrupted has removed a part of them',
      ],
    },
    probe: (target) => withConnection(context, undefined, async (connection) => presenceOf(await readHome(connection, target), target)),
    create: async (target, signal, { ready } = {}) => {
      await ready;
      return createDatabase(context, target, signal);
    },
    drop: (target, signal) => dropDatabase(context, target, signal),
    sweepLeft: (target, signal) => sweepLeftRights(context, target, signal),
    planDrop: (target) => planDrop(context, target),
    logins: createLoginDriver(context),
    cutAccess: (target, signal) => cutDatabaseAccess(context, target, signal),
    planCutAccess: (target) => planDatabaseCut(context, target),
    restoreAccess: (target, signal) => restoreDatabaseAccess(context, target, signal),
    retain: (target, operation, signal) => retainDatabase(context, target, operation, signal),
    unretain: (target, by, signal) => unretainDatabase(context, target, by, signal),
    mark: (target) => markDatabase(context, target),
    listBegun: (registry) => withConnection(context, undefined, (connection) => listBegun(connection, registry)),
    markCommand,
    unmarkCommand,
    list: (page) => withConnection(context, undefined, (connection) => listHomes(connection, page, context.address.database)),
    inspect: (target, what, signal) => inspectDatabase(context, target, what, signal),
    backups: createMysqlBackups(context),
    mend: (_target, what, { signal }) => mendDatabase(context, what, signal),
    connectionUrl: (target) => withMysqlDatabase(context.url, target.name),
    databaseName: (target) => target.name,
    clientCommand: (_target, url) => clientCommand(url, context.address.password !== ''),
    withSession: (target, options, use) => runSession(context.budget, target, options, use),
  };
}

/** For a person's shell; `mysql` is what both servers' clients answer to. It asks for a password only where it is told to. */
function clientCommand(url: string, hasPassword: boolean): string {
  const address = parseMysqlUrl(url);
  if (address === null) return 'mysql';
  const { host, port, socketPath, user, sslMode, database } = address;
  const options = [
    ...(socketPath === null ? ['--host', host, '--port', String(port)] : ['--socket', socketPath]),
    ...(user === '' ? [] : ['--user', user]),
    ...(sslMode === 'DISABLED' ? [] : ['--ssl']),
    ...(database === null ? [] : ['--database', database]),
  ];
  return ['mysql', ...options.map(quoteForShell), ...(hasPassword || url.includes('***') ? ['-p'] : [])].join(' ');
}

function quoteForShell(text: string): string {
  return /^[\w.:/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
