import { TenancyError } from '../../errors.js';
import { readEntries, showPath } from '../source-directory.js';
import type { Entry, FoundFile, FoundMigration, MigrationFormat } from './format.js';

const SQL = /\.sql$/;
const MODULE = /\.[cm]?[jt]s$/;
const ANY_ENDING = /\.(sql|[cm]?[jt]s)\b/i;
/** Written by compilers beside their output. */
const BUILD_OUTPUT = /(\.d\.[cm]?ts|\.map|\.tsbuildinfo)$/;
/** Beside the migrations, and not one of them. */
const TEST = /\.(test|spec)\.[cm]?[jt]s$/;
const LEFTOVER = /^[.#_]|~$|\.sw[a-z]$/;
const DOCUMENT = /\.(md|txt|adoc|rst)$/i;
const DOWN = /\.down$/;

/** `0001_name.sql` with an optional `0001_name.down.sql`, and modules `.ts`, `.mts`, `.cts`, `.js`, `.mjs`, `.cjs`. */
export const filesFormat: MigrationFormat = {
  name: 'files',
  order: 'number',
  recognises: () => true,
  find(entries) {
    refuseFolders(entries.filter(({ type, name }) => type === 'directory' && !isIgnored(name) && name !== 'node_modules'));
    const files = entries.filter(({ type, name }) => type === 'file' && !isIgnored(name));
    for (const file of files) refuseStranger(file);
    const migrations = files.filter(({ name }) => isMigration(name));
    return pair(migrations);
  },
};

function isMigration(name: string): boolean {
  return SQL.test(name) || MODULE.test(name);
}

function isIgnored(name: string): boolean {
  return LEFTOVER.test(name) || BUILD_OUTPUT.test(name) || TEST.test(name);
}

function pair(files: readonly Entry[]): FoundMigration[] {
  const stems = files.map((entry) => ({ entry, stem: stripEnding(entry.name) }));
  const ups = stems.filter(({ stem }) => !DOWN.test(stem));
  const downs = stems.filter(({ stem }) => DOWN.test(stem));
  const downOf = new Map<string, Entry>();
  for (const { entry, stem } of downs) {
    const name = stem.replace(DOWN, '');
    if (!SQL.test(entry.name))
      refuse(entry, 'a down migration of its own is written in SQL', 'export `down` from the module that exports `up`');
    const up = ups.find((candidate) => candidate.stem === name);
    if (up === undefined) refuse(entry, 'it has no up migration', `add ${name}.sql, or delete this file`);
    if (!SQL.test(up.entry.name)) refuse(entry, `${up.entry.name} is a module`, 'export `down` from the module, and delete this file');
    downOf.set(name, entry);
  }
  return ups.map(({ entry, stem }) => {
    const down = downOf.get(stem);
    return { name: stem.normalize('NFC'), up: found(entry), down: down === undefined ? null : found(down) };
  });
}

function found({ name, path }: Entry): FoundFile {
  return { type: SQL.test(name) ? 'sql' : 'module', path };
}

function stripEnding(name: string): string {
  return name.replace(SQL, '').replace(MODULE, '');
}

/** A migration that is passed over in silence is the worst of mistakes, so what resembles one is refused. */
function refuseStranger(entry: Entry): void {
  const { name } = entry;
  if (/\.up\.sql$/i.test(name))
    refuse(entry, 'an up migration carries no `.up`', `name it ${name.replace(/\.up\.sql$/i, '.sql')}, or say format: 'golang-migrate'`);
  if (/^[VURB][\d._]*__.*\.sql$/i.test(name)) {
    const advice = "begin each name with its number, as in 0002_invoices.sql, or say format: 'flyway' where all of them are Flyway's";
    refuse(entry, "Flyway's names don't sort (V10__ comes before V2__)", advice);
  }
  if (isMigration(name)) return;
  if (/\.(sql|[cm]?[jt]s)$/i.test(name)) {
    refuse(entry, 'its ending is not in lower case', `name it ${name.replace(/\.\w+$/, (ending) => ending.toLowerCase())}`);
  }
  const resemblesMigration = ANY_ENDING.test(name) || (/^\d/.test(name) && !DOCUMENT.test(name));
  if (!resemblesMigration) return;
  refuse(entry, 'it is no .sql, .ts, .js or .mjs file', 'give it one of these endings, or take it out of the migrations directory');
}

function refuseFolders(folders: readonly Entry[]): void {
  for (const folder of folders) {
    const inside = readEntries(folder.path).find(({ name, type }) => type === 'file' && isMigration(name) && !isIgnored(name));
    if (inside !== undefined)
      refuse(inside, 'migrations in sub-folders are not read', 'move it up into the migrations directory, or out of it');
  }
}

function refuse(entry: Entry, reason: string, advice: string): never {
  throw new TenancyError('TENANCY_MIGRATION_FILE_REJECTED', { file: showPath(entry.path), reason, advice });
}
