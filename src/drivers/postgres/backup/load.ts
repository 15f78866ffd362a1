import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from 'pg';
import type { BackupWork, TenantTarget } from '../../driver.js';
import { databaseOf } from '../cluster-url.js';
import { type EngineContext, withClient } from '../engine-context.js';
import { quoteName } from '../quote.js';
import { type ArchiveContents, readContents, restoreEntries } from './contents.js';
import type { DumpScope } from './dump.js';
import { applicationName, withLogin } from './lend-login.js';
import { libpqEnvironment } from './libpq-environment.js';
import { replayGrants } from './replay-grants.js';

/** Owners are roles that may be gone: what is loaded is the cluster's login's in the end. So are grants, which come last. */
const INTO_DATABASE = ['--exit-on-error', '--no-password', '--no-owner', '--no-acl'];

/** Every database has it, and it is nobody's to make. */
const PUBLIC = / SCHEMA - public /;

interface Archive {
  readonly archive: string;
  readonly scratch: string;
}

/**
 * Loads an archive into a database of the tenant's own, or into a schema that is there already under the name that was dumped. Where the cluster's
 * login is a superuser, as a role that owns this home and nothing else, for as long as that takes.
 */
export async function loadArchive(
  context: EngineContext,
  target: TenantTarget,
  { database, schema }: DumpScope,
  files: Archive,
  work: BackupWork,
): Promise<void> {
  const { signal } = work;
  const contents = await readContents(files.archive, files.scratch, work);
  const own = (role: string): readonly string[] => [
    schema === null
      ? `ALTER DATABASE ${quoteName(database ?? databaseOf(context.url))} OWNER TO ${role}`
      : `ALTER SCHEMA ${quoteName(schema)} OWNER TO ${role}`,
  ];
  await withLogin(context, target, { purpose: 'load', database, grants: own, signal }, async (login) => {
    const environment = libpqEnvironment(context.url, {
      database: database ?? databaseOf(context.url),
      login,
      applicationName: applicationName(target, 'load'),
    });
    const load = (name: string, entries: readonly string[]): Promise<void> => {
      const args = [...INTO_DATABASE, `--dbname=${database ?? databaseOf(context.url)}`];
      return restoreEntries(files.archive, entries, { scratch: files.scratch, name, args }, work, environment);
    };
    if (schema === null) {
      const schemas = contents.schemas.filter((line) => !PUBLIC.test(line));
      await load('schemas', schemas);
      await withClient(context, database, signal, async (client) => {
        await makeExtensions(client, files, contents, work);
        if (login !== null) await lendExtensionTables(client, login.user);
      });
    }
    await load('objects', contents.objects);
    await withClient(context, database, signal, (client) =>
      replayGrants(client, { ...files, entries: contents.grants }, { owner: login?.user ?? null, schema }, work),
    );
  });
}

/** Many can only be made by a superuser; what they bring is the packager's code, and not the tenant's. */
async function makeExtensions(client: Client, { archive, scratch }: Archive, contents: ArchiveContents, work: BackupWork): Promise<void> {
  for (const name of contents.extensions.keys()) {
    const file = path.join(scratch, 'extension.sql');
    const entries = [contents.extensions.get(name) ?? ''];
    await restoreEntries(archive, entries, { scratch, name: 'extension', args: ['--file', file] }, work, {});
    const [statement] = (await readFile(file, 'utf8')).split('\n').filter((line) => /^CREATE EXTENSION /.test(line));
    if (statement !== undefined) await client.query(statement);
  }
}

/** Rows that a tenant has put into the tables of an extension are in the dump, and the tables are the extension's. */
async function lendExtensionTables(client: Client, role: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
      WHERE c.relkind IN ('r', 'p')`,
  );
  for (const { name } of rows) await client.query(`GRANT SELECT, INSERT ON ${name} TO ${quoteName(role)}`);
}
