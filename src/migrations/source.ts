import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { SqlMigrationsOptions } from '../config/types.js';
import { TenancyError } from '../errors.js';
import type { FoundFile, FoundMigration, MigrationFormat } from './formats/format.js';
import { chooseFormat } from './formats/index.js';
import { historyDigest } from './history-digest.js';
import type { LocalMigration, MigrationScript } from './migration.js';
import { byName, chooseOrder } from './order.js';
import { loadUnchanged } from './source-cache.js';
import { readDirectives } from './source-directives.js';
import { readEntries, showPath } from './source-directory.js';
import { createModuleScripts, type ImportModule } from './source-module.js';
import { checkNames } from './source-names.js';
import { readSourceText } from './source-text.js';

export interface SourceDeps {
  /** Called only when a migration of that file is to run. */
  readonly importModule: ImportModule;
}

/**
 * Finds, reads and checks the migrations of a directory; oldest first, never empty. Opens no connection and imports no module.
 * What is inside of a SQL file is checked by `checkSqlScript`, which also knows where it is to run.
 * @throws TenancyError `TENANCY_MIGRATIONS_DIRECTORY_REJECTED`, `TENANCY_MIGRATION_FILE_REJECTED`, `TENANCY_MIGRATION_NAME_TAKEN`,
 * `TENANCY_MIGRATION_DIRECTIVE_UNKNOWN`.
 */
export async function loadMigrations(
  options: SqlMigrationsOptions & { /** Directory of the config file. */ readonly root: string },
  deps: SourceDeps,
): Promise<readonly LocalMigration[]> {
  const directory = resolve(options.root, options.directory);
  const asked = options.format ?? 'auto';
  return loadUnchanged(directory, asked, () => loadDirectory(directory, asked, deps));
}

function loadDirectory(directory: string, asked: NonNullable<SqlMigrationsOptions['format']>, deps: SourceDeps): readonly LocalMigration[] {
  const entries = readEntries(directory);
  const format = chooseFormat(asked, directory, entries);
  const found = format.find(entries);
  if (found.length === 0) refuseEmpty(directory);
  const order = format.order === 'number' ? chooseOrder(found.map(({ name }) => name)) : byName;
  checkNames(found, order);
  const sorted = format.order === 'found' ? found : [...found].sort((a, b) => order(a.name, b.name));
  return sorted.map((migration) => loadMigration(migration, format, deps));
}

/** Where a fleet is to get to: the newest migration, and the digest of a history that has them all. */
export function describeTarget(local: readonly LocalMigration[]): { readonly version: string | null; readonly digest: string } {
  return { version: local.at(-1)?.name ?? null, digest: historyDigest(local) };
}

function loadMigration({ name, up, down, mirror }: FoundMigration, format: MigrationFormat, { importModule }: SourceDeps): LocalMigration {
  const { text, checksum, bytes } = readSourceText(up.path);
  const file = showPath(up.path);
  if (up.type === 'module') return { name, file, checksum, ...createModuleScripts(up.path, text, importModule) };
  return {
    name,
    file,
    checksum,
    up: createSqlScript(up.path, text, format),
    down: down === null ? null : loadDown(down, format),
    ...(mirror === undefined ? {} : { mirror: { ...mirror, checksum: createHash('sha256').update(bytes).digest('hex') } }),
  };
}

function loadDown({ path }: FoundFile, format: MigrationFormat): MigrationScript {
  const { text } = readSourceText(path);
  return createSqlScript(path, text, format);
}

function createSqlScript(path: string, text: string, { prepare }: MigrationFormat): MigrationScript {
  const { isTransactional } = readDirectives(path, text);
  return { type: 'sql', file: showPath(path), sql: prepare?.(text, path) ?? text, isTransactional };
}

function refuseEmpty(directory: string): never {
  throw new TenancyError('TENANCY_MIGRATIONS_DIRECTORY_REJECTED', {
    directory: showPath(directory),
    reason: 'has no migrations',
    advice: 'add a first one, such as 0001_accounts.sql, or correct migrations.directory in the config',
  });
}
