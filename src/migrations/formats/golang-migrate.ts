import { parseSqlScript } from '../sql/script.js';
import type { Entry, FoundMigration, MigrationFormat } from './format.js';
import { isCandidate, refuseFile } from './refuse.js';

/** As golang-migrate reads names (source/parse.go): `000001_accounts.up.sql`. */
const FILE = /^(\d+_.*)\.(up|down)\.(.+)$/;

/** golang-migrate's pairs of files, by number. */
export const golangMigrateFormat: MigrationFormat = {
  name: 'golang-migrate',
  order: 'number',
  recognises(entries) {
    const files = entries.filter((entry) => entry.type === 'file' && isCandidate(entry) && entry.name.endsWith('.sql'));
    return files.some(({ name }) => name.endsWith('.up.sql')) && files.every(({ name }) => FILE.test(name));
  },
  find(entries) {
    const files = entries.filter((entry) => entry.type === 'file' && isCandidate(entry));
    const read = files.flatMap((entry) => readName(entry) ?? []);
    for (const { entry, stem } of read.filter(({ direction }) => direction === 'down')) {
      if (!read.some((up) => up.direction === 'up' && up.stem === stem))
        refuseFile(entry.path, 'it has no up migration', `add ${stem}.up.sql, or delete this file`);
    }
    return read.flatMap(({ entry, stem, direction }): FoundMigration[] => {
      if (direction === 'down') return [];
      const down = read.find((other) => other.direction === 'down' && other.stem === stem);
      const name = stem.normalize('NFC');
      return [{ name, up: { type: 'sql', path: entry.path }, down: down === undefined ? null : { type: 'sql', path: down.entry.path } }];
    });
  },
  prepare: blankOuterTransaction,
};

function readName(entry: Entry): { readonly entry: Entry; readonly stem: string; readonly direction: string } | null {
  const [, stem, direction, ending] = FILE.exec(entry.name) ?? [];
  if (stem === undefined || direction === undefined) {
    if (!/\.(sql|go|json|[cm]?[jt]s)\b/i.test(entry.name)) return null;
    refuseFile(
      entry.path,
      'golang-migrate passes over a file of this name',
      `name it as in 000002_invoices.up.sql, or say format: 'files' where none of them is to be golang-migrate's`,
    );
  }
  if (ending !== 'sql') refuseFile(entry.path, 'it is no SQL', 'write it as .up.sql and .down.sql, or let golang-migrate itself run');
  return { entry, stem, direction };
}

/**
 * golang-migrate has no transactions of its own, so its files open and end one: here that is what happens anyway, and a COMMIT would part the work
 * from its history row. One pair around all the rest is blanked; anything else is refused later, with its line.
 */
function blankOuterTransaction(sql: string): string {
  const { statements } = parseSqlScript(sql);
  const first = statements[0];
  const last = statements.at(-1);
  if (first === undefined || last === undefined || first === last) return sql;
  const isOpened = /^(BEGIN|START)( (TRANSACTION|WORK))?$/.test(first.words.join(' '));
  const isEnded = /^(COMMIT|END)( (TRANSACTION|WORK))?$/.test(last.words.join(' '));
  if (!isOpened || !isEnded) return sql;
  return [first, last].reduce(
    (text, { start, end }) => text.slice(0, start) + text.slice(start, end).replace(/[^\n;]/g, ' ') + text.slice(end),
    sql,
  );
}
