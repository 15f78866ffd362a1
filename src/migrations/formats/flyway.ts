import { byVersion, readVersion } from '../order.js';
import { readEntries } from '../source-directory.js';
import type { Entry, FoundMigration, MigrationFormat } from './format.js';
import { isCandidate, refuseClash, refuseFile } from './refuse.js';

const VERSIONED = /^([VUB])(\d+(?:[._]\d+)*)__.+\.sql$/;
const REPEATABLE = /^R__.+\.sql$/;
/** SQL callbacks: `beforeMigrate.sql`, `afterEachMigrate__refresh.sql`. */
const CALLBACK = /^(before|after|create)[A-Z][A-Za-z]*(__.+)?\.sql$/;

/**
 * Flyway's files, also in sub-folders: `V1_2__invoices.sql`, with `U1_2__….sql` as the way back. In the order of their versions, part by part.
 * What Flyway does beyond that (repeatable migrations, baselines, callbacks, placeholders) is refused rather than passed over.
 */
export const flywayFormat: MigrationFormat = {
  name: 'flyway',
  order: 'found',
  recognises: (entries) => looksLikeOurs(entries) === 'ours',
  find(entries) {
    const files = readDeep(entries);
    for (const file of files) refuseOther(file);
    const versioned = files.filter(({ name }) => VERSIONED.test(name));
    const ups = versioned.filter(({ name }) => name.startsWith('V')).sort((a, b) => byVersion(a.name, b.name));
    const downs = versioned.filter(({ name }) => name.startsWith('U'));
    refuseSameVersion(ups);
    refuseSameVersion([...downs].sort((a, b) => byVersion(a.name, b.name)));
    for (const down of downs) {
      if (!ups.some((up) => isSameVersion(up, down)))
        refuseFile(down.path, 'there is no V migration of its version', 'add that, or delete this file');
    }
    return ups.map((up): FoundMigration => {
      const down = downs.find((other) => isSameVersion(up, other));
      return {
        name: up.name.replace(/\.sql$/, '').normalize('NFC'),
        up: { type: 'sql', path: up.path },
        down: down === undefined ? null : { type: 'sql', path: down.path },
      };
    });
  },
  prepare: (sql, file) => {
    const found = /\$\{[^}\n]*\}/.exec(sql);
    if (found === null) return sql;
    const line = sql.slice(0, found.index).split('\n').length;
    refuseFile(
      file,
      `line ${line} has ${found[0]}, which Flyway would replace`,
      "write out what it stands for (a name without a schema is the tenant's own), or let Flyway itself run: migrate: flyway()",
    );
  },
};

/** Folder by folder, and no further than to the first file of somebody else's: another tool may have a thousand folders. */
function looksLikeOurs(entries: readonly Entry[]): 'ours' | 'empty' | 'other' {
  const candidates = entries.filter(isCandidate);
  const names = candidates.filter(({ name, type }) => type === 'file' && name.endsWith('.sql')).map(({ name }) => name);
  if (!names.every((name) => VERSIONED.test(name) || REPEATABLE.test(name) || CALLBACK.test(name))) return 'other';
  let found: 'ours' | 'empty' = names.some((name) => name.startsWith('V')) ? 'ours' : 'empty';
  for (const folder of candidates.filter(({ type }) => type === 'directory')) {
    const inside = looksLikeOurs(readEntries(folder.path));
    if (inside === 'other') return 'other';
    if (inside === 'ours') found = 'ours';
  }
  return found;
}

function readDeep(entries: readonly Entry[]): readonly Entry[] {
  const candidates = entries.filter(isCandidate);
  const folders = candidates.filter(({ type }) => type === 'directory');
  const inside = folders.flatMap(({ path }) => readDeep(readEntries(path)));
  return [...candidates.filter(({ type }) => type === 'file'), ...inside];
}

function isSameVersion(a: Entry, b: Entry): boolean {
  return readVersion(a.name)?.join('.') === readVersion(b.name)?.join('.');
}

function refuseSameVersion(sorted: readonly Entry[]): void {
  sorted.forEach((entry, at) => {
    const before = sorted[at - 1];
    if (before !== undefined && isSameVersion(before, entry)) refuseClash([before.path, entry.path], 'have the same version');
  });
}

function refuseOther({ name, path }: Entry): void {
  const run = 'or let Flyway itself run: migrate: flyway()';
  if (REPEATABLE.test(name)) {
    refuseFile(path, 'a repeatable migration is not supported: it would run again after each change', `make it a V migration, ${run}`);
  }
  if (/^B/.test(name) && VERSIONED.test(name)) {
    refuseFile(
      path,
      'a baseline is not supported: it would stand in for the V migrations up to it',
      `take it out, so that new tenants run these from the first on, ${run}`,
    );
  }
  if (CALLBACK.test(name)) {
    refuseFile(
      path,
      "Flyway's callbacks are not run",
      `put it into the config as a hook (hooks.beforeMigrate, hooks.afterMigrate), ${run}`,
    );
  }
  if (/\.sql\.conf$/.test(name)) {
    refuseFile(
      path,
      "a script configuration of Flyway's is not read",
      `say what it says in ${name.replace(/\.conf$/, '')} (\`-- tenancy: no-transaction\`), ${run}`,
    );
  }
  if (VERSIONED.test(name)) return;
  if (/\.(java|class|py|sh|ps1)$/i.test(name) && /^[VURB].*__/i.test(name)) refuseFile(path, 'it is no SQL', `write it in SQL, ${run}`);
  if (/\.sql\b/i.test(name)) {
    refuseFile(
      path,
      `Flyway passes over a file of this name`,
      'name it as in V2__invoices.sql, or take it out of the migrations directory',
    );
  }
}
