import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { SqlMigrationsOptions } from '../../src/config/types.js';
import { isTenancyError } from '../../src/errors.js';
import type { LocalMigration } from '../../src/migrations/migration.js';
import { recogniseOrder } from '../../src/migrations/order.js';
import { resolveTarget } from '../../src/migrations/plan-target.js';
import { loadMigrations } from '../../src/migrations/source.js';

const roots: string[] = [];

afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true });
});

type Files = Readonly<Record<string, string>>;

async function load(files: Files, format: NonNullable<SqlMigrationsOptions['format']> = 'auto'): Promise<readonly LocalMigration[]> {
  const root = await mkdtemp(join(tmpdir(), 'formats-'));
  roots.push(root);
  for (const [file, content] of Object.entries(files)) {
    const path = join(root, 'migrations', file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  return loadMigrations({ root, directory: './migrations', format }, { importModule: (path) => import(path) });
}

async function explainRefusal(files: Files, format?: NonNullable<SqlMigrationsOptions['format']>): Promise<string> {
  const error = await load(files, format).catch((thrown: unknown) => thrown);
  if (!isTenancyError(error)) throw new Error(`not refused: ${String(error)}`);
  return `${error.message} | ${error.hint}`.replaceAll(/\S*\/migrations\b\/?/g, '');
}

const names = (migrations: readonly LocalMigration[]): string[] => migrations.map(({ name }) => name);
const sqlOf = (migration: LocalMigration | undefined): string => (migration?.up.type === 'sql' ? migration.up.sql : '');
const one = 'SELECT 1;\n';

function journal(...tags: readonly string[]): string {
  return JSON.stringify({
    version: '7',
    dialect: 'postgresql',
    entries: tags.map((tag, idx) => ({ idx, version: '7', when: 1709553600000 + idx, tag, breakpoints: true })),
  });
}

describe("golang-migrate's pairs", () => {
  test('are recognised, by number, each with its way back', async () => {
    const local = await load({ '10_c.up.sql': one, '000002_b.up.sql': one, '000002_b.down.sql': 'SELECT 2;', '1_a.up.sql': one });
    expect(local.map(({ name, down }) => [name, down !== null])).toEqual([
      ['1_a', false],
      ['000002_b', true],
      ['10_c', false],
    ]);
  });

  test.each([
    [{ '1_a.up.sql': one, '01_b.up.sql': one }, '01_b.up.sql and 1_a.up.sql have the same number'],
    [{ '1_a.up.sql': one, '2_b.down.sql': one }, '2_b.down.sql: it has no up migration | add 2_b.up.sql'],
    [{ '1_a.up.sql': one, '2_b.up.json': one }, '2_b.up.json: it is no SQL'],
    [{ '1_a.up.sql': one, 'b.up.sql': one }, 'b.up.sql: golang-migrate passes over a file of this name'],
    [{ '1_a.up.sql': one, '2_b.sql': one }, '2_b.sql: golang-migrate passes over a file of this name'],
  ])("refuse what can't be meant: %o", async (files, message) => {
    expect(await explainRefusal(files, 'golang-migrate')).toContain(message);
  });

  test('may open and end a transaction around all of a file, which happens anyway, every line in its place', async () => {
    const text = '-- a comment\nBEGIN;\nCREATE TABLE a (id int);\n\nCOMMIT;\n';
    const [local] = await load({ '1_a.up.sql': text });
    expect(sqlOf(local)).toBe('-- a comment\n     ;\nCREATE TABLE a (id int);\n\n      ;\n');
    const [plain] = await load({ '1_a.sql': text });
    expect(local?.checksum).toBe(plain?.checksum);
  });

  test.each(['BEGIN;\nSELECT 1;\n', 'SELECT 1;\nCOMMIT;\n', 'BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT;', 'COMMIT;'])(
    'are left as they are otherwise: %s',
    async (text) => {
      expect(sqlOf((await load({ '1_a.up.sql': text }))[0])).toBe(text);
    },
  );
});

describe("Flyway's files", () => {
  test('are recognised, in the order of their versions, part by part, also in sub-folders', async () => {
    const local = await load({
      'V10__j.sql': one,
      'V2__b.sql': one,
      'V1_1__a.sql': one,
      'V1.0.0__first.sql': one,
      'year/V1.10__later.sql': one,
      'year/V1.9__c.sql': one,
      'U2__back.sql': 'SELECT 2;',
    });
    expect(names(local)).toEqual(['V1.0.0__first', 'V1_1__a', 'V1.9__c', 'V1.10__later', 'V2__b', 'V10__j']);
    expect(local.filter(({ down }) => down !== null).map(({ name }) => name)).toEqual(['V2__b']);
    const order = recogniseOrder(names(local));
    expect(order('V11__ahead', 'V10__j')).toBeGreaterThan(0);
    expect(order('V1.5__gone', 'V2__b')).toBeLessThan(0);
  });

  test('are named by their version in --to', async () => {
    const local = await load({ 'V1__a.sql': one, 'V1_10__b.sql': one, 'V2.0__c.sql': one });
    expect(['1.10', 'V1_10', '2', 'V1__a'].map((to) => resolveTarget(local, to, 'up'))).toEqual([
      'V1_10__b',
      'V1_10__b',
      'V2.0__c',
      'V1__a',
    ]);
    expect(() => resolveTarget(local, '1.1', 'up')).toThrow(/no such migration/);
  });

  test.each([
    [{ 'V1__a.sql': one, 'V1.0__b.sql': one }, 'have the same version'],
    [{ 'V1__a.sql': one, 'U2__b.sql': one }, 'U2__b.sql: there is no V migration of its version'],
    [{ 'V1__a.sql': one, 'R__views.sql': one }, 'R__views.sql: a repeatable migration is not supported'],
    [{ 'V1__a.sql': one, 'B1__base.sql': one }, 'B1__base.sql: a baseline is not supported'],
    [{ 'V1__a.sql': one, 'afterMigrate.sql': one }, "afterMigrate.sql: Flyway's callbacks are not run | put it into the config as a hook"],
    [{ 'V1__a.sql': one, 'V1__a.sql.conf': 'x' }, "a script configuration of Flyway's is not read"],
    [{ 'V1__a.sql': one, 'V2__b.java': 'x' }, 'V2__b.java: it is no SQL'],
    [{ 'V1__a.sql': `${one}SELECT '\${schema}';` }, 'V1__a.sql: line 2 has ${schema}, which Flyway would replace'],
    [{ 'V1__a.sql': one, 'U1__a.sql': 'DROP TABLE ${x};' }, 'U1__a.sql: line 1 has ${x}'],
  ])('refuse what Flyway alone does: %o', async (files, message) => {
    expect(await explainRefusal(files)).toContain(message);
  });

  test('refuse a name that Flyway passes over', async () => {
    expect(await explainRefusal({ 'V1__a.sql': one, 'V2_b.sql': one }, 'flyway')).toContain('V2_b.sql: Flyway passes over');
  });
});

describe("Drizzle's files", () => {
  test('are recognised by their journal, and in its order', async () => {
    const files = { 'meta/_journal.json': journal('0000_a', '0001_b'), '0000_a.sql': one, '0001_b.sql': one, '0001_b.down.sql': one };
    const local = await load(files);
    expect(local.map(({ name, down }) => [name, down !== null])).toEqual([
      ['0000_a', false],
      ['0001_b', true],
    ]);
  });

  test('may have names that say nothing of their order', async () => {
    const local = await load({
      'meta/_journal.json': journal('sad_hulk', 'brave_ant', 'odd_cat'),
      'sad_hulk.sql': one,
      'brave_ant.sql': one,
      'odd_cat.sql': one,
    });
    expect(names(local)).toEqual(['sad_hulk', 'brave_ant', 'odd_cat']);
    const order = recogniseOrder(names(local));
    expect(['odd_cat', 'new_one', 'sad_hulk', 'brave_ant'].sort(order)).toEqual(['sad_hulk', 'brave_ant', 'odd_cat', 'new_one']);
  });

  test('have their breakpoints made comments that every engine knows, each offset in its place', async () => {
    const text = 'CREATE TABLE a (id int);\n--> statement-breakpoint\nCREATE TABLE b (id int);';
    const [local] = await load({ 'meta/_journal.json': journal('0000_a'), '0000_a.sql': text });
    expect(sqlOf(local)).toBe('CREATE TABLE a (id int);\n--  statement-breakpoint\nCREATE TABLE b (id int);');
    expect(local?.checksum).toBe((await load({ '0000_a.sql': text }))[0]?.checksum);
  });

  test.each([
    [{ 'meta/_journal.json': journal('0000_a'), '0000_a.sql': one, '0001_b.sql': one }, '0001_b.sql: Drizzle passes over it'],
    [{ 'meta/_journal.json': journal('0000_a', '0001_b'), '0000_a.sql': one }, 'it names 0001_b, and there is no 0001_b.sql'],
    [{ 'meta/_journal.json': '{ <<<<<<< HEAD', '0000_a.sql': one }, "Drizzle's journal is no JSON"],
    [{ 'meta/_journal.json': '{"entries":[{"tag":"x"}]}', 'x.sql': one }, 'has an entry without idx and tag'],
    [{ 'meta/_journal.json': '{"entries":[{"idx":0,"tag":"../x"}]}', 'x.sql': one }, 'has an entry without idx and tag'],
    [{ 'meta/_journal.json': '{"entries":[{"idx":1,"tag":"a"},{"idx":1,"tag":"b"}]}', 'a.sql': one }, 'has a and b both as number 1'],
  ])("are refused where the journal doesn't fit them: %o", async (files, message) => {
    expect(await explainRefusal(files)).toContain(message);
  });

  test("are folders from drizzle-kit 1.0 on, told from Prisma's by their snapshot", async () => {
    const local = await load({
      '20240220110500_b/migration.sql': one,
      '20240220110500_b/snapshot.json': '{}',
      '20240115093000_a/migration.sql': one,
      '20240115093000_a/snapshot.json': '{}',
    });
    expect(local.map(({ name, mirror }) => [name, mirror])).toEqual([
      ['20240115093000_a', undefined],
      ['20240220110500_b', undefined],
    ]);
  });
});

describe("Prisma's folders", () => {
  test('carry the checksum that Prisma has of them: of the bytes as they are', async () => {
    const [local] = await load({ '1_a/migration.sql': '\uFEFFSELECT 1;\r\n', 'migration_lock.toml': 'x' });
    // sha256sum of the file.
    expect(local?.mirror).toEqual({
      type: 'prisma',
      name: '1_a',
      checksum: '1ffc3c6acdbb610bcc942c606c787270e7c9d149c473e9d9aaa4fe597d5e402d',
    });
    expect(local?.checksum).not.toBe(local?.mirror?.checksum);
  });
});

describe('a folder that looks like two', () => {
  test.each([
    [{ 'meta/_journal.json': journal('1_a.up'), '1_a.up.sql': one }, 'looks like one of drizzle and like one of golang-migrate'],
    [
      { '1_a/migration.sql': one, '1_a/snapshot.json': '{}', 'migration_lock.toml': 'x' },
      "looks like one of prisma and like one of drizzle | say which it is: migrations: { directory, format: 'prisma' }",
    ],
  ])('is refused: %o', async (files, message) => {
    expect(await explainRefusal(files)).toContain(message);
  });

  test('is taken as it is said to be', async () => {
    const files = { '1_a/migration.sql': one, '1_a/snapshot.json': '{}', 'migration_lock.toml': 'x' };
    expect((await load(files, 'prisma'))[0]?.mirror?.name).toBe('1_a');
    expect((await load(files, 'drizzle'))[0]?.mirror).toBeUndefined();
  });

  test('one odd file among plain ones is named', async () => {
    expect(await explainRefusal({ '1_a.sql': one, '2_b.up.sql': one })).toContain("name it 2_b.sql, or say format: 'golang-migrate'");
    expect(await explainRefusal({ '1_a.sql': one, 'V2__b.sql': one })).toContain("say format: 'flyway' where all of them are Flyway's");
  });
});
