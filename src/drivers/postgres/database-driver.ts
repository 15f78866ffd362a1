import { TenancyError } from '../../errors.js';
import type { Presence, TenantDriver, TenantTarget } from '../driver.js';
import { bareMarker, describeOwner, isSameMarker } from '../marker.js';
import { createPostgresBackups } from './backups.js';
import { psqlCommand, withDatabase } from './cluster-url.js';
import { cutDatabaseAccess, planDatabaseCut, restoreDatabaseAccess } from './database-access.js';
import { createDatabase } from './database-create.js';
import { dropDatabase, findObstacles } from './database-drop.js';
import { handOverDatabase } from './database-hand-over.js';
import { retainDatabase, unretainDatabase } from './database-retain.js';
import { type DatabaseState, listDatabases, listDrafts, READ_IS_EMPTY, readHome } from './database-state.js';
import { createTemplateDriver } from './database-template.js';
import { type EngineContext, ensuredExtensionsOf, withClient } from './engine-context.js';
import { type InspectedHome, inspectHome, mendHome } from './inspect.js';
import { listAhead } from './list-ahead.js';
import { createLoginDriver } from './logins.js';
import { formatMarker } from './marker.js';
import { quoteName, quoteText } from './quote.js';
import { runSession } from './run-session.js';
import { createDatabaseDb } from './tenant-db.js';
import { DROPPED } from './working-names.js';

/** Our history in a tenant's database has a schema of its own, out of the way of the application's. */
const HISTORY_SCHEMA = '_tenancy';

/** One database for each tenant, on the server that the cluster's URL names. */
export function createPostgresDatabaseDriver(context: EngineContext): TenantDriver {
  const readNow = (target: TenantTarget) => withClient(context, null, undefined, (client) => readHome(client, target));

  /** Can't be looked into: it is taken for full. */
  const isEmpty = async (name: string, { isConnectable }: DatabaseState): Promise<boolean> => {
    if (!isConnectable) return false;
    return withClient(context, name, undefined, async (client) => {
      const { rows } = await client.query<{ is_empty: boolean }>(READ_IS_EMPTY);
      return rows[0]?.is_empty === true;
    });
  };

  const probe: TenantDriver['probe'] = async (target, { isFromOutside } = { isFromOutside: false }): Promise<Presence> => {
    const { home, draft, dropping } = await readNow(target);
    // A draft is never entered, not even by us: a session in it would stand in the way of its renaming.
    if (home === null) return draft === null && dropping === null ? { status: 'absent' } : { status: 'partial', isEmpty: true };
    if (home.marker === null) return { status: 'unmarked', isEmpty: await isEmpty(target.name, home) };
    if (!isSameMarker(home.marker, target.marker)) return { status: 'other', marker: bareMarker(home.marker) ?? home.marker };
    if (home.marker.retained && !home.isHalfDropped) return { status: 'retained', by: home.marker.retained };
    const status = home.isHalfDropped ? 'partial' : 'ours';
    return { status, isEmpty: !isFromOutside && (await isEmpty(target.name, home)) };
  };

  const inspectedAs = ({ name }: TenantTarget): InspectedHome => ({ database: name, schema: null, extensionsSchema: null });

  return {
    name: 'postgres-database',
    capabilities: {
      engine: 'postgres',
      supportsTransactionalDdl: true,
      supportsRename: true,
      supportsCutAccess: true,
      isSharedDatabase: false,
      caveats: [],
    },
    probe,
    create: (target, signal, options = {}) => createDatabase(context, target, signal, options),
    templates: createTemplateDriver(context),
    listAhead: (registry) => withClient(context, null, undefined, (client) => listAhead(client, 'pg_database', registry)),
    listBegun: () => withClient(context, null, undefined, listDrafts),
    leave: (target) => context.budget.closeIdle(target.name),
    handOver: (spare, target, signal) => handOverDatabase(context, spare, target, signal),
    drop: (target, signal) => dropDatabase(context, target, signal),
    planDrop: (target) =>
      withClient(context, null, undefined, async (client) => {
        const { home } = await readHome(client, target);
        return home === null ? [] : findObstacles(client, target, home);
      }),
    logins: createLoginDriver(context, ({ name }) => ({ database: name, schema: null })),
    cutAccess: (target, signal) => cutDatabaseAccess(context, target, signal),
    planCutAccess: (target) => planDatabaseCut(context, target),
    restoreAccess: (target, signal) => restoreDatabaseAccess(context, target, signal),
    retain: (target, operation, signal) => retainDatabase(context, target, operation, signal),
    unretain: (target, by, signal) => unretainDatabase(context, target, by, signal),
    mark: async (target) => {
      const { home } = await readNow(target);
      if (home?.marker != null) {
        if (isSameMarker(home.marker, target.marker)) return;
        throw new TenancyError('TENANCY_NAME_TAKEN', {
          name: target.name,
          kind: 'database',
          owner: describeOwner(home.marker, target.marker),
        });
      }
      const marker = formatMarker({ ...target.marker, ...(home?.comment == null ? {} : { comment: home.comment }) });
      await withClient(context, null, undefined, (client) =>
        client.query(`COMMENT ON DATABASE ${quoteName(target.name)} IS ${quoteText(marker)}`),
      );
    },
    markCommand: ({ name, marker }) => `COMMENT ON DATABASE ${quoteName(name)} IS '${formatMarker(marker).replaceAll("'", "''")}'`,
    unmarkCommand: (name) => `COMMENT ON DATABASE ${quoteName(name)} IS NULL`,
    list: async (page) => {
      const databases = await withClient(context, null, undefined, (client) => listDatabases(client, page));
      return databases.map(({ name, marker }) => ({
        name,
        marker: marker && bareMarker(marker),
        ...(name.startsWith(DROPPED) ? { isSetAside: true } : {}),
      }));
    },
    inspect: (target, what, signal) => inspectHome(context, target, inspectedAs(target), what, signal),
    mend: (target, what, limits) => mendHome(context, inspectedAs(target), what, limits),
    backups: createPostgresBackups(context, { historySchema: HISTORY_SCHEMA }),
    connectionUrl: (target) => withDatabase(context.url, target.name),
    databaseName: (target) => target.name,
    clientCommand: (_target, url) => psqlCommand(url),
    withSession: (target, options, use) =>
      runSession(
        context.budget,
        {
          name: target.name,
          database: target.name,
          marker: target.marker,
          historySchema: HISTORY_SCHEMA,
          searchPath: null,
          extensionsSchema: null,
          lockKey: `tenancy:database:${target.name}`,
          ensuredExtensions: ensuredExtensionsOf(context, target.name),
          createDb: (client) => createDatabaseDb(client, target.name),
        },
        options,
        use,
      ),
  };
}
