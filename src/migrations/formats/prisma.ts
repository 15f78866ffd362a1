import { readEntries } from '../source-directory.js';
import type { Entry, FoundMigration, MigrationFormat } from './format.js';
import { refuseFile } from './refuse.js';

/**
 * Prisma's folders, `20240131120000_name/migration.sql`; `down.sql` beside it is optional. In the order of their names, as Prisma runs them.
 * Prisma's own table, `_prisma_migrations`, is kept beside ours.
 */
export const prismaFormat: MigrationFormat = {
  name: 'prisma',
  order: 'name',
  recognises(entries) {
    if (entries.some(({ name }) => name === 'migration_lock.toml')) return true;
    for (const folder of entries.filter(isCandidate)) {
      const names = readEntries(folder.path).map(({ name }) => name);
      // Drizzle's folders have a snapshot beside.
      if (names.includes('migration.sql') && !names.includes('snapshot.json')) return true;
    }
    return false;
  },
  find(entries) {
    const stray = entries.find(({ type, name }) => type === 'file' && !name.startsWith('.') && /\.(sql|[cm]?[jt]s)$/.test(name));
    if (stray !== undefined)
      refuseFile(stray.path, "a file beside Prisma's folders", 'put it into a folder of its own, as <timestamp>_<name>/migration.sql');
    return entries.filter(isCandidate).map(findInFolder);
  },
};

function isCandidate({ name, type }: Entry): boolean {
  return type === 'directory' && !/^[._]/.test(name) && name !== 'node_modules';
}

function findInFolder(folder: Entry): FoundMigration {
  const inside = readEntries(folder.path);
  const up = inside.find(({ name, type }) => name === 'migration.sql' && type === 'file');
  const down = inside.find(({ name, type }) => name === 'down.sql' && type === 'file');
  if (up === undefined) refuseFile(folder.path, 'the folder has no migration.sql', 'bring the file back, or delete the folder');
  return {
    name: folder.name.normalize('NFC'),
    up: { type: 'sql', path: up.path },
    down: down === undefined ? null : { type: 'sql', path: down.path },
    mirror: { type: 'prisma', name: folder.name },
  };
}
