import type { Client } from 'pg';
import type { HomeTemplate, TemplateDriver, TenantTarget } from '../driver.js';
import { isSameMarker } from '../marker.js';
import { isMadeAhead, isTemplateOf, readDatabases } from './database-state.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { quoteName } from './quote.js';

/** A session is still in it, or somebody is just copying it. */
const OBJECT_IN_USE = '55006';
const DUPLICATE_DATABASE = '42P04';
const INVALID_CATALOG_NAME = '3D000';

/**
 * PostgreSQL 15 and newer copy a database either block by block through the write-ahead log, whose volume is the database's, or as files, between
 * two checkpoints of the whole server. The first wins while a database is small; before 15 there was only the second.
 */
const FILE_COPY_FROM_BYTES = 128 * 1024 * 1024;

const READ_SIZE = `SELECT pg_database_size($1::text)::float8 AS bytes, current_setting('server_version_num')::int AS version`;

export function createTemplateDriver(context: EngineContext): TemplateDriver {
  return {
    find: (name, registry) =>
      withClient(context, null, undefined, async (client) => {
        if (!isTemplateOf(registry, (await readDatabases(client, [name])).get(name))) return null;
        const { rows } = await client.query<{ bytes: number; version: number }>(READ_SIZE, [name]);
        const { bytes = 0, version = 0 } = rows[0] ?? {};
        return { name, registry, strategy: chooseStrategy({ bytes, version }) };
      }),
    seal: async (home, name, signal) => {
      // A session of our own that idles in it would stand in the way of its renaming.
      await context.budget.closeIdle(home.name);
      await withClient(context, null, signal, (client) =>
        settleRaces(
          signal,
          (code) => code === OBJECT_IN_USE || code === DUPLICATE_DATABASE || code === INVALID_CATALOG_NAME,
          () => seal(client, home, name),
        ),
      );
    },
    drop: (name, registry, signal) =>
      withClient(context, null, signal, (client) =>
        settleRaces(
          signal,
          (code) => code === OBJECT_IN_USE || code === INVALID_CATALOG_NAME,
          async () => {
            const state = (await readDatabases(client, [name])).get(name);
            if (state === undefined || !isMadeAhead(registry, state)) return 'absent';
            if (state.isTemplate) await client.query(`ALTER DATABASE ${quoteName(name)} IS_TEMPLATE false`);
            await client.query(`DROP DATABASE IF EXISTS ${quoteName(name)}`);
            return 'dropped';
          },
        ),
      ),
  };
}

/** @param version as `server_version_num` */
export function chooseStrategy({ bytes, version }: { readonly bytes: number; readonly version: number }): HomeTemplate['strategy'] {
  if (version < 150_000) return null;
  return bytes < FILE_COPY_FROM_BYTES ? 'wal_log' : 'file_copy';
}

/** In one transaction: a database of that name is complete, whoever is killed whenever. */
async function seal(client: Client, home: TenantTarget, name: string): Promise<void> {
  const found = await readDatabases(client, [home.name, name]);
  const draft = found.get(home.name);
  if (isTemplateOf(home.marker.registry, found.get(name))) {
    // Another has made the same: one is enough.
    if (draft?.marker != null && isSameMarker(draft.marker, home.marker)) {
      await client.query(`DROP DATABASE IF EXISTS ${quoteName(home.name)} WITH (FORCE)`);
    }
    return;
  }
  const draftName = quoteName(home.name);
  await sendTransaction(
    client,
    `ALTER DATABASE ${draftName} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true; ALTER DATABASE ${draftName} RENAME TO ${quoteName(name)}`,
  );
}
