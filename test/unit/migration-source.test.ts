import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { isTenancyError } from '../../src/errors.js';
import { historyDigest } from '../../src/migrations/history-digest.js';
import type { LocalMigration } from '../../src/migrations/migration.js';
import { describeTarget, loadMigrations } from '../../src/migrations/source.js';

const roots: string[] = [];

afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true });
});

type Files = Readonly<Record<string, string | Uint8Array>>;

/** A project whose `migrations` directory holds these files. */
async function createRoot(files: Files): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'migrations-'));
  roots.push(root);
  await mkdir(join(root, 'migrations'));
  for (const [file, content] of Object.entries(files)) {
    const path = join(root, 'migrations', file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  return root;
}

const importModule = (path: string): Promise<unknown> => import(path);

function load(root: string, format: 'auto' | 'files' | 'prisma' = 'auto'): Promise<readonly LocalMigration[]> {
  return loadMigrations({ root, directory: './migrations', format }, { importModule });
}

async function loadFiles(files: Files): Promise<readonly LocalMigration[]> {
  return load(await createRoot(files));
}

async function explainRefusal(files: Files): Promise<string> {
  const error = await loadFiles(files).catch((thrown: unknown) => thrown);
  if (!isTenancyError(error)) throw new Error(`not refused: ${String(error)}`);
  return `${error.message} | ${error.hint}`.replaceAll(/\S*\/migrations\b\/?/g, '');
}

const names = (migrations: readonly LocalMigration[]): string[] => migrations.map(({ name }) => name);
const one = 'SELECT 1;\n';

describe('the order of files', () => {
  test('is by number where all have one, however many zeros it has', async () => {
    const local = await loadFiles({ '00010_c.sql': one, '0002_b.sql': one, '1_a.sql': one, '99999999999999999999_d.sql': one });
    expect(names(local)).toEqual(['1_a', '0002_b', '00010_c', '99999999999999999999_d']);
  });

  test('is bytewise by name where one has no number', async () => {
    const local = await loadFiles({ '10_a.sql': one, '9_b.sql': one, 'Zoo.sql': one, 'apple.sql': one, 'ärger.sql': one });
    expect(names(local)).toEqual(['10_a', '9_b', 'Zoo', 'apple', 'ärger']);
  });

  test('is by name where they begin with a date in parts, of which a year is no number', async () => {
    const local = await loadFiles({
      '2024-03-06-170000_c.sql': one,
      '2024-01-12-210182_b.sql': one,
      '2024_01_02_a.sql': one,
      '2023_12_31_a.sql': one,
    });
    expect(names(local)).toEqual(['2023_12_31_a', '2024-01-12-210182_b', '2024-03-06-170000_c', '2024_01_02_a']);
  });

  test('mixes SQL and modules', async () => {
    const local = await loadFiles({ '2_b.ts': 'export const up = () => {}', '1_a.sql': one, '3_c.mjs': 'export const up = () => {}' });
    expect(local.map(({ name, up }) => [name, up.type])).toEqual([
      ['1_a', 'sql'],
      ['2_b', 'module'],
      ['3_c', 'module'],
    ]);
  });

  test.each([
    [
      { '0007_a.sql': one, '7_b.sql': one, '8_c.sql': one, '08_d.ts': one },
      '0007_a.sql and 7_b.sql have the same number; 08_d.ts and 8_c.sql have the same number',
    ],
    [{ '1_a.sql': one, '1_a.ts': one }, '1_a.sql and 1_a.ts have names that differ at most in case'],
    [{ 'Users.sql': one, 'users.sql': one }, 'Users.sql and users.sql have names that differ at most in case'],
    [
      Object.fromEntries(['a', 'b', 'c', 'd', 'e'].flatMap((name) => [1, 2, 3, 4, 5].map((n) => [`${n}_${name}.sql`, one]))),
      '1_a.sql, 1_b.sql, 1_c.sql and 2 more have the same number; 2_a.sql, 2_b.sql, 2_c.sql and 2 more have the same number; 3_a.sql, 3_b.sql, 3_c.sql and 2 more have the same number; and 2 more of the kind',
    ],
  ])("refuses what can't be told apart: %o", async (files, message) => {
    expect(await explainRefusal(files)).toContain(message);
  });
});

describe('the checksum', () => {
  test('is the same with CRLF and with a byte order mark, and so is the text', async () => {
    const [lf] = await loadFiles({ '1_a.sql': 'SELECT 1;\nSELECT 2;\n' });
    const [crlf] = await loadFiles({ '1_a.sql': '\uFEFFSELECT 1;\r\nSELECT 2;\r\n' });
    expect(crlf?.checksum).toBe(lf?.checksum);
    expect(crlf?.up).toMatchObject({ sql: 'SELECT 1;\nSELECT 2;\n' });
  });

  test('is another for any other change, also of white space', async () => {
    const [before] = await loadFiles({ '1_a.sql': 'SELECT 1;\n' });
    const [after] = await loadFiles({ '1_a.sql': 'SELECT 1; \n' });
    expect(after?.checksum).not.toBe(before?.checksum);
  });

  test('does not cover the down file', async () => {
    const [before] = await loadFiles({ '1_a.sql': one });
    const [after] = await loadFiles({ '1_a.sql': one, '1_a.down.sql': 'SELECT 2;' });
    expect(after?.checksum).toBe(before?.checksum);
    expect(after?.down).toMatchObject({ type: 'sql', sql: 'SELECT 2;', isTransactional: true });
  });

  test('makes the target with the newest name', async () => {
    const local = await loadFiles({ '1_a.sql': one, '2_b.sql': one });
    expect(describeTarget(local)).toEqual({ version: '2_b', digest: historyDigest(local) });
  });
});

describe('what lies beside migrations', () => {
  test("is ignored where it can't be meant as one", async () => {
    const local = await loadFiles({
      '1_a.sql': one,
      '.1_a.sql.swp': 'x',
      '1_a.sql~': 'x',
      '#1_a.sql#': 'x',
      '.DS_Store': 'x',
      '.gitkeep': '',
      '_shared.ts': 'x',
      'README.md': 'x',
      '2024-notes.md': 'x',
      '1_a.d.ts': 'x',
      '1_a.js.map': 'x',
      'slug.test.ts': 'x',
      'data.csv': 'x',
      'data.json': 'x',
      'meta/_journal.json': '{}',
      'node_modules/x/index.js': 'x',
    });
    expect(names(local)).toEqual(['1_a']);
  });

  test.each([
    ['2_b.SQL', 'its ending is not in lower case | name it 2_b.sql'],
    ['2_b.sql.bak', 'it is no .sql, .ts, .js or .mjs file'],
    ['2_b.sql.orig', 'it is no .sql, .ts, .js or .mjs file'],
    ['2_b.psql', 'it is no .sql, .ts, .js or .mjs file'],
    ['2_b', 'it is no .sql, .ts, .js or .mjs file'],
    ['2_b.up.sql', 'an up migration carries no `.up` | name it 2_b.sql'],
    ['2_b.down.sql', 'it has no up migration | add 2_b.sql, or delete this file'],
    ['2_b.down.ts', 'a down migration of its own is written in SQL'],
    ['V2__b.sql', "Flyway's names don't sort"],
    ['2024/2_b.sql', 'migrations in sub-folders are not read'],
    [`2_${'b'.repeat(199)}.sql`, 'its name has 201 characters, and 200 is the most'],
    ['2_a\nb.sql', 'its name has a control character'],
  ])('is refused where it resembles one: %s', async (file, message) => {
    expect(await explainRefusal({ '1_a.sql': one, [file]: one })).toContain(message);
  });

  test('a down file beside a module is refused', async () => {
    expect(await explainRefusal({ '1_a.ts': one, '1_a.down.sql': one })).toContain('1_a.ts is a module');
  });
});

describe("a file that can't be run", () => {
  test.each([
    ['NUL bytes', 'SELECT 1;\0', 'it has NUL bytes'],
    ['UTF-16', Buffer.from('\uFEFFSELECT 1;', 'utf16le'), 'it has NUL bytes'],
    ['Latin-1', Buffer.from('SELECT 1;\n-- caf\xe9\n', 'latin1'), 'line 2 is not valid UTF-8'],
    ['nothing in it', ' \n\t\n', 'it is empty'],
  ])('is refused: %s', async (_, content, message) => {
    expect(await explainRefusal({ '1_a.sql': content })).toContain(`1_a.sql: ${message}`);
  });

  test('a comment alone is enough', async () => {
    expect(names(await loadFiles({ '1_a.sql': '-- nothing to do\n' }))).toEqual(['1_a']);
  });

  test('a file that is a link is read, one that leads nowhere or back to itself is refused', async () => {
    const root = await createRoot({ '1_a.sql': one });
    await symlink('1_a.sql', join(root, 'migrations/2_b.sql'));
    expect(names(await load(root))).toEqual(['1_a', '2_b']);
    await symlink('3_c.sql', join(root, 'migrations/3_c.sql'));
    await expect(load(root)).rejects.toThrow(/3_c\.sql: it is a link that leads back to itself/);
    await rm(join(root, 'migrations/3_c.sql'));
    await symlink('gone.sql', join(root, 'migrations/3_c.sql'));
    await expect(load(root)).rejects.toThrow(/3_c\.sql: it does not exist/);
  });
});

describe('the directory', () => {
  test('must exist, be one, and hold a migration', async () => {
    const root = await createRoot({ 'README.md': 'x' });
    await expect(load(root)).rejects.toMatchObject({
      code: 'TENANCY_MIGRATIONS_DIRECTORY_REJECTED',
      message: expect.stringContaining('has no migrations'),
      hint: expect.stringContaining('0001_'),
    });
    await expect(loadMigrations({ root, directory: 'nowhere' }, { importModule })).rejects.toThrow(/nowhere does not exist/);
    await expect(loadMigrations({ root, directory: 'migrations/README.md' }, { importModule })).rejects.toThrow(
      /README\.md is not a directory/,
    );
  });

  test('may be a loop of links, which is said', async () => {
    const root = await createRoot({});
    await symlink('loop', join(root, 'loop'));
    await expect(loadMigrations({ root, directory: 'loop' }, { importModule })).rejects.toThrow(/loop is a link that leads back to itself/);
  });
});

describe("Prisma's folders", () => {
  const files = {
    '20240102030405_b/migration.sql': one,
    '20230102030405_a/migration.sql': one,
    '20230102030405_a/down.sql': 'SELECT 2;',
    'migration_lock.toml': 'x',
  };

  test('are recognised, in the order of their names', async () => {
    const local = await loadFiles(files);
    expect(local.map(({ name, down }) => [name, down !== null])).toEqual([
      ['20230102030405_a', true],
      ['20240102030405_b', false],
    ]);
  });

  test('may share a timestamp, as Prisma allows', async () => {
    const local = await loadFiles({ ...files, '20240102030405_a/migration.sql': one, '3_z/migration.sql': one });
    expect(names(local)).toEqual(['20230102030405_a', '20240102030405_a', '20240102030405_b', '3_z']);
  });

  test('without a migration.sql are refused, and so are files beside them', async () => {
    expect(await explainRefusal({ ...files, '2025_c/notes.md': 'x' })).toContain('2025_c: the folder has no migration.sql');
    expect(await explainRefusal({ ...files, '2025_c.sql': one })).toContain("a file beside Prisma's folders");
  });

  test('are not taken for files, nor files for them', async () => {
    await expect(load(await createRoot(files), 'files')).rejects.toThrow(/sub-folders are not read/);
    await expect(load(await createRoot({ '1_a.sql': one }), 'prisma')).rejects.toThrow(/beside Prisma's folders/);
  });
});
