import type { Client } from 'pg';
import type { BackupSource, BackupWork, TenantTarget } from '../../driver.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from '../engine-context.js';
import { formatMarker } from '../marker.js';
import { quoteName, quoteText } from '../quote.js';
import { dumpArchive } from './dump.js';
import { loadArchive } from './load.js';
import { planRename } from './old-names.js';

/** Named by the operation, so that a second attempt finds what the first has left. */
export function scratchDatabase({ marker }: TenantTarget): string {
  return `tenancy_restore_${marker.operation}`;
}

/**
 * Makes an archive in which the schema has its new name: in a database of its own, where the old one is free. What the tenant shares with others
 * there is not, save for the extensions; a dump that refers to any of it fails here, and is never half right.
 */
export async function renameInDatabase(
  context: EngineContext,
  target: TenantTarget,
  source: BackupSource,
  archive: string,
  work: BackupWork,
): Promise<void> {
  const database = scratchDatabase(target);
  const { signal } = work;
  const extensions = await withClient(context, null, signal, (client) => listExtensions(client, context.extensionsSchema));
  await dropScratchDatabase(context, target, signal);
  try {
    await withClient(context, null, signal, (client) =>
      settleRaces(
        signal,
        () => false,
        () => client.query(`CREATE DATABASE ${quoteName(database)} TEMPLATE template0`),
      ),
    );
    await withClient(context, database, signal, async (client) => {
      const [shared, old] = [quoteName(context.extensionsSchema), quoteName(source.name)];
      // Nobody else has any business in it.
      await sendTransaction(
        client,
        `REVOKE ALL ON DATABASE ${quoteName(database)} FROM PUBLIC; COMMENT ON DATABASE ${quoteName(database)} IS ${quoteText(formatMarker(target.marker))};
         CREATE SCHEMA IF NOT EXISTS ${shared}; GRANT USAGE ON SCHEMA ${shared} TO PUBLIC; CREATE SCHEMA ${old}`,
      );
      for (const { name, schema } of extensions) {
        await client.query(`CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`);
        await client.query(`CREATE EXTENSION IF NOT EXISTS ${quoteName(name)} SCHEMA ${quoteName(schema)}`);
      }
    });
    await loadArchive(context, target, { database, schema: source.name }, { archive: source.path, scratch: work.scratch }, work);
    await withClient(context, database, signal, async (client) => {
      await sendTransaction(client, await planRename(client, target.marker.tenant, source.name, target.name));
    });
    await dumpArchive(context, target, { database, schema: target.name }, archive, work);
  } finally {
    await dropScratchDatabase(context, target, new AbortController().signal).catch(() => undefined);
  }
}

/** Those that a tenant may use; plpgsql is in every database. */
async function listExtensions(client: Client, shared: string): Promise<readonly { readonly name: string; readonly schema: string }[]> {
  const { rows } = await client.query<{ name: string; schema: string }>(
    `SELECT extname AS name, nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
      WHERE nspname IN ($1, 'public') ORDER BY e.oid`,
    [shared],
  );
  return rows;
}

export async function dropScratchDatabase(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<void> {
  const database = scratchDatabase(target);
  await context.budget.closeIdle(database);
  await withClient(context, null, signal, async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [database]);
    if (rowCount !== 0) await client.query(`DROP DATABASE IF EXISTS ${quoteName(database)} WITH (FORCE)`);
  });
}
