import { DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import type { ExtensionStatement } from '../../../migrations/sql/extension.js';
import type { MigrateContext, PreparedScript } from './context.js';
import { rollBack } from './guarded.js';
import { readRows, sendMessage } from './send-message.js';

/** The extensions that a script asks for and that no session of this process has made sure of yet. */
export function missingExtensions({ deps, schema }: MigrateContext, { notes }: PreparedScript): ExtensionStatement[] {
  if (schema === null || deps.extensionsSchema === null) return [];
  return notes.flatMap((note) => (note.type === 'extension' && !deps.ensuredExtensions.has(note.extension.name) ? [note.extension] : []));
}

/**
 * Creates an extension once for all tenants of the database, in the shared schema: one inside a tenant's schema would take
 * other tenants' columns with it when that schema is dropped. Under a lock, since IF NOT EXISTS doesn't keep two that race apart.
 */
export async function ensureExtension(context: MigrateContext, extension: ExtensionStatement, log: (text: string) => void): Promise<void> {
  const { deps } = context;
  const home = await findExtension(context, extension.name);
  if (home === null) await createExtension(context, extension);
  else if (home !== deps.extensionsSchema && home !== 'pg_catalog') {
    log(`extension ${extension.name} is in the schema ${home}, not in ${deps.extensionsSchema}: it was left there`);
  }
  deps.ensuredExtensions.add(extension.name);
}

async function findExtension({ deps }: MigrateContext, name: string): Promise<string | null> {
  const sql = `SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = ${escapeLiteral(name)}`;
  const [row] = await readRows(deps.client, sql);
  return row?.[0] ?? null;
}

async function createExtension(context: MigrateContext, extension: ExtensionStatement): Promise<void> {
  const { deps, sql } = context;
  const schema = escapeIdentifier(deps.extensionsSchema ?? '');
  const create = (where: string): string =>
    [
      ...sql.begin,
      `SELECT pg_advisory_xact_lock(hashtextextended('tenancy:extensions', 0))`,
      `CREATE SCHEMA IF NOT EXISTS ${schema}`,
      `CREATE EXTENSION IF NOT EXISTS ${escapeIdentifier(extension.name)} ${where}` +
        `${extension.version === null ? '' : ` VERSION ${extension.version}`}${extension.isCascading ? ' CASCADE' : ''}`,
      'COMMIT',
    ].join(';');
  const send = async (text: string): Promise<void> => {
    try {
      await sendMessage(deps.client, text);
    } catch (error) {
      if (error instanceof DatabaseError) await rollBack(context);
      throw error;
    }
  };
  try {
    await send(create(`WITH SCHEMA ${schema}`));
  } catch (error) {
    // Some have a schema that they insist on (pg_cron, postgis_topology).
    if (!(error instanceof DatabaseError) || error.code !== '0A000') throw error;
    await send(create(''));
  }
}
