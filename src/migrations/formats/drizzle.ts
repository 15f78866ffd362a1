import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readEntries } from '../source-directory.js';
import type { Entry, FoundMigration, MigrationFormat } from './format.js';
import { isCandidate, refuseClash, refuseFile } from './refuse.js';

/**
 * Drizzle's migrations, in either layout. Up to drizzle-kit 0.31: `<tag>.sql` beside `meta/_journal.json`, in the journal's order.
 * From 1.0 on: a folder each, `20240220110500_invoices/migration.sql` beside its `snapshot.json`, in the order of their names.
 * A way back is ours to add: `<tag>.down.sql`, or `down.sql`.
 */
export const drizzleFormat: MigrationFormat = {
  name: 'drizzle',
  order: 'found',
  recognises(entries) {
    if (readJournal(entries) !== null) return true;
    return folders(entries).some(({ path }) => isFile(join(path, 'snapshot.json')) && isFile(join(path, 'migration.sql')));
  },
  find(entries) {
    const journal = readJournal(entries);
    return journal === null ? findFolders(entries) : findFiles(entries, journal);
  },
  // `-->` begins a comment in PostgreSQL alone: MySQL wants a blank behind the dashes.
  prepare: (sql) => sql.replaceAll('--> statement-breakpoint', '--  statement-breakpoint'),
};

interface Journal {
  readonly path: string;
  readonly tags: readonly string[];
}

/** Null where there is none of Drizzle's. */
function readJournal(entries: readonly Entry[]): Journal | null {
  const meta = entries.find(({ name, type }) => name === 'meta' && type === 'directory');
  if (meta === undefined) return null;
  const path = join(meta.path, '_journal.json');
  const text = readIfThere(path);
  if (text === null) return null;
  let journal: unknown;
  try {
    journal = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    refuseFile(path, `Drizzle's journal is no JSON: ${reason}`, 'mend it: after a merge both branches have written to it');
  }
  const list = typeof journal === 'object' && journal !== null && 'entries' in journal ? journal.entries : undefined;
  if (list === undefined) return null;
  const checked = Array.isArray(list) ? list.filter(isJournalEntry) : [];
  if (!Array.isArray(list) || checked.length < list.length)
    refuseFile(path, "Drizzle's journal has an entry without idx and tag", 'mend it, or have drizzle-kit write it anew');
  const sorted = checked.sort((a, b) => a.idx - b.idx);
  sorted.forEach(({ idx, tag }, at) => {
    const before = sorted[at - 1];
    if (before?.idx === idx) refuseClash([path], `has ${before.tag} and ${tag} both as number ${idx}`);
  });
  return { path, tags: sorted.map(({ tag }) => tag) };
}

function isJournalEntry(entry: unknown): entry is { readonly idx: number; readonly tag: string } {
  if (typeof entry !== 'object' || entry === null) return false;
  const { idx, tag } = entry as Readonly<Record<string, unknown>>;
  return typeof idx === 'number' && typeof tag === 'string' && tag !== '' && !/[\\/]/.test(tag);
}

function findFiles(entries: readonly Entry[], { path, tags }: Journal): readonly FoundMigration[] {
  const files = entries.filter((entry) => entry.type === 'file' && isCandidate(entry) && /\.sql$/.test(entry.name));
  const byName = new Map(files.map((entry) => [entry.name, entry]));
  const expected = new Set(tags.flatMap((tag) => [`${tag}.sql`, `${tag}.down.sql`]));
  const stray = files.find(({ name }) => !expected.has(name));
  if (stray !== undefined) {
    refuseFile(
      stray.path,
      'Drizzle passes over it: its journal, meta/_journal.json, does not name it',
      'make such a migration with `drizzle-kit generate --custom`, or take the file out of the migrations directory',
    );
  }
  return tags.map((tag) => {
    const up = byName.get(`${tag}.sql`);
    const down = byName.get(`${tag}.down.sql`);
    if (up === undefined) refuseFile(path, `it names ${tag}, and there is no ${tag}.sql`, 'bring the file back, or take the entry out');
    return {
      name: tag.normalize('NFC'),
      up: { type: 'sql', path: up.path },
      down: down === undefined ? null : { type: 'sql', path: down.path },
    };
  });
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function folders(entries: readonly Entry[]): readonly Entry[] {
  return entries.filter((entry) => entry.type === 'directory' && isCandidate(entry) && entry.name !== 'meta');
}

function findFolders(entries: readonly Entry[]): readonly FoundMigration[] {
  const stray = entries.find((entry) => entry.type === 'file' && isCandidate(entry) && /\.(sql|[cm]?[jt]s)$/.test(entry.name));
  if (stray !== undefined)
    refuseFile(stray.path, "a file beside Drizzle's folders", 'make it with `drizzle-kit generate --custom`, or finish `drizzle-kit up`');
  const sorted = [...folders(entries)].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  return sorted.map(findInFolder);
}

function findInFolder(folder: Entry): FoundMigration {
  const inside = readEntries(folder.path);
  const file = (wanted: string): Entry | undefined => inside.find(({ name, type }) => name === wanted && type === 'file');
  const up = file('migration.sql');
  const down = file('down.sql');
  if (up === undefined) refuseFile(folder.path, 'the folder has no migration.sql', 'bring the file back, or delete the folder');
  return {
    name: folder.name.normalize('NFC'),
    up: { type: 'sql', path: up.path },
    down: down === undefined ? null : { type: 'sql', path: down.path },
  };
}
