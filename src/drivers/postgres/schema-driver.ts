import { TenancyError } from '../../errors.js';
import type { Presence, TenantDriver, TenantTarget } from '../driver.js';
import { bareMarker, describeOwner, isSameMarker } from '../marker.js';
import { createPostgresBackups } from './backups.js';
import { databaseOf, psqlCommand, withSearchPath } from './cluster-url.js';
import { type EngineContext, ensuredExtensionsOf, withClient } from './engine-context.js';
import { type InspectedHome, inspectHome, mendHome } from './inspect.js';
import { listAhead } from './list-ahead.js';
import { createLoginDriver } from './logins.js';
import { formatMarker } from './marker.js';
import { quoteName, quoteText } from './quote.js';
import { runSession } from './run-session.js';
import { createSchema } from './schema-create.js';
import { dropSchema, planSchemaDrop } from './schema-drop.js';
import { handOverSchema } from './schema-hand-over.js';
import { retainSchema, unretainSchema } from './schema-retain.js';
import { isOurs, listSchemas, readSchema, readSchemaHome } from './schema-state.js';
import { findSchemasAt } from './schemas-at.js';
import { createSchemaDb } from './tenant-db.js';
import { RETAINED } from './working-names.js';

const SHARED_LOGIN = {
  isEnforced: false,
  detail: 'a schema tenant shares the login of the application, so only the registry knows',
} as const;

/** One schema for each tenant, all in the database that the cluster's URL names. */
export function createPostgresSchemaDriver(context: EngineContext): TenantDriver {
  const probe = async (target: TenantTarget): Promise<Presence> => {
    const { home: state, retained } = await withClient(context, null, undefined, (client) => readSchemaHome(client, target));
    if (!isOurs(state, target) && isOurs(retained, target)) return { status: 'retained', by: retained?.marker?.retained ?? null };
    if (state === null) return { status: 'absent' };
    if (state.marker === null) return { status: 'unmarked', isEmpty: state.isEmpty };
    if (!isSameMarker(state.marker, target.marker)) return { status: 'other', marker: state.marker };
    return { status: 'ours', isEmpty: state.isEmpty };
  };

  const inspectedAs = ({ name }: TenantTarget): InspectedHome => ({
    database: null,
    schema: name,
    extensionsSchema: context.extensionsSchema,
  });

  return {
    name: 'postgres-schema',
    capabilities: {
      engine: 'postgres',
      supportsTransactionalDdl: true,
      supportsRename: true,
      supportsCutAccess: false,
      isSharedDatabase: true,
      caveats: [],
    },
    probe,
    create: async (target, signal, { ready } = {}) => {
      await ready;
      return createSchema(context, target, signal);
    },
    listAhead: (registry) => withClient(context, null, undefined, (client) => listAhead(client, 'pg_namespace', registry)),
    handOver: (spare, target, signal) => handOverSchema(context, spare, target, signal),
    drop: (target, signal) => dropSchema(context, target, signal),
    planDrop: (target) => withClient(context, null, undefined, (client) => planSchemaDrop(client, target)),
    logins: createLoginDriver(context, ({ name }) => ({ database: null, schema: name })),
    cutAccess: async () => SHARED_LOGIN,
    planCutAccess: async () => SHARED_LOGIN,
    restoreAccess: async () => SHARED_LOGIN,
    retain: (target, operation, signal) => retainSchema(context, target, operation, signal),
    unretain: (target, by, signal) => unretainSchema(context, target, by, signal),
    mark: (target) => withClient(context, null, undefined, (client) => markSchema(client, target)),
    markCommand: ({ name, marker }) => `COMMENT ON SCHEMA ${quoteName(name)} IS '${formatMarker(marker).replaceAll("'", "''")}'`,
    unmarkCommand: (name) => `COMMENT ON SCHEMA ${quoteName(name)} IS NULL`,
    list: async (page) => {
      const schemas = await withClient(context, null, undefined, (client) => listSchemas(client, page, context.extensionsSchema));
      return schemas.map(({ name, marker }) => ({
        name,
        marker: marker && bareMarker(marker),
        ...(name.startsWith(RETAINED) ? { isSetAside: true } : {}),
      }));
    },
    findAt: (targets, digest) => withClient(context, null, undefined, (client) => findSchemasAt(client, targets, digest)),
    inspect: (target, what, signal) => inspectHome(context, target, inspectedAs(target), what, signal),
    mend: (target, what, limits) => mendHome(context, inspectedAs(target), what, limits),
    backups: createPostgresBackups(context, { historySchema: null }),
    connectionUrl: (target) => withSearchPath(context.url, [target.name, context.extensionsSchema]),
    databaseName: () => databaseOf(context.url),
    clientCommand: (_target, url) => psqlCommand(url),
    withSession: (target, options, use) => {
      const searchPath = [target.name, context.extensionsSchema];
      return runSession(
        context.budget,
        {
          name: target.name,
          database: null,
          marker: target.marker,
          historySchema: target.name,
          searchPath,
          extensionsSchema: context.extensionsSchema,
          lockKey: `tenancy:schema:${target.name}`,
          ensuredExtensions: ensuredExtensionsOf(context, null),
          createDb: (client) => createSchemaDb(client, target.name, searchPath),
        },
        options,
        use,
      );
    },
  };
}

async function markSchema(client: Parameters<Parameters<typeof withClient>[3]>[0], target: TenantTarget): Promise<void> {
  const state = await readSchema(client, target.name);
  if (state?.marker != null) {
    if (isSameMarker(state.marker, target.marker)) return;
    throw new TenancyError('TENANCY_NAME_TAKEN', { name: target.name, kind: 'schema', owner: describeOwner(state.marker, target.marker) });
  }
  const comment = state?.comment ?? undefined;
  const marker = formatMarker({ ...target.marker, ...(comment === undefined ? {} : { comment }) });
  await client.query(`COMMENT ON SCHEMA ${quoteName(target.name)} IS ${quoteText(marker)}`);
}
