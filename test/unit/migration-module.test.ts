import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TenantDb } from '../../src/migrations/migration.js';
import { createModuleScripts } from '../../src/migrations/source-module.js';

let directory = '';
let count = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'modules-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const sent: string[] = [];
const db: TenantDb = {
  query: (sql) => {
    sent.push(sql);
    return Promise.resolve({ rows: [], rowCount: 0 });
  },
};
const context = { tenant: 'acme', signal: new AbortController().signal, log: () => undefined };

async function create(text: string, ending = '.mjs') {
  count += 1;
  const path = join(directory, `${count}_m${ending}`);
  await writeFile(path, text);
  return createModuleScripts(path, text, (file) => import(file));
}

const up = 'export async function up(db, ctx) { await db.query(`up ${ctx.tenant}`) }\n';

describe('a migration module', () => {
  test('is imported when it runs and not before', async () => {
    const scripts = createModuleScripts('/gone.ts', up, () => Promise.reject(new Error('imported')));
    await expect(scripts.up.run(db, context)).rejects.toThrow(/gone\.ts: it can't be loaded: imported/);
  });

  test("is handed the tenant's client and context", async () => {
    const scripts = await create(up);
    await scripts.up.run(db, context);
    expect(sent.splice(0)).toEqual(['up acme']);
    expect(scripts).toMatchObject({ up: { isTransactional: true }, down: null });
  });

  test.each([
    'export async function down(db) { await db.query("down") }',
    'export const down = (db) => db.query("down")',
    'const undo = (db) => db.query("down")\nexport { undo as down }',
  ])('has a way back: %s', async (text) => {
    const scripts = await create(`${up}${text}\n`);
    await scripts.down?.run(db, context);
    expect(sent.splice(0)).toEqual(['down']);
  });

  test.each([
    ['.mjs', 'export default { async up(db) { await db.query("up") }, async down(db) { await db.query("down") } }'],
    ['.cjs', 'exports.up = (db) => db.query("up")\nexports.down = (db) => db.query("down")'],
    ['.cjs', 'module.exports = { up: (db) => db.query("up"), down: (db) => db.query("down") }'],
  ])('may be written in another way (%s): %s', async (ending, text) => {
    const scripts = await create(text, ending);
    await scripts.up.run(db, context);
    await scripts.down?.run(db, context);
    expect(sent.splice(0)).toEqual(['up', 'down']);
  });

  test('has no way back for speaking of down in a comment', async () => {
    expect((await create(`${up}// export function down() {}\n// write it down\n`)).down).toBeNull();
  });

  test.each(['export const transaction = false', 'export const transaction: boolean = false', 'export const transaction=false;'])(
    'leaves the transaction out: %s',
    async (text) => {
      expect((await create(`${text}\n${up}`, '.ts')).up.isTransactional).toBe(false);
    },
  );

  test.each(['export const transaction = true', '// export const transaction = false', 'const options = {\n  transaction: false,\n}'])(
    'keeps the transaction: %s',
    async (text) => {
      expect((await create(`${text}\n${up}`, '.ts')).up.isTransactional).toBe(true);
    },
  );

  test('says so where its transaction can only be known by running it', async () => {
    const scripts = await create(`const no = false\nexport { no as transaction }\n${up}`);
    await expect(scripts.up.run(db, context)).rejects.toMatchObject({
      hint: expect.stringContaining('`export const transaction = false`'),
    });
    expect(sent).toEqual([]);
  });

  test('without `up` is refused, naming the file', async () => {
    const scripts = await create('export const upp = 1');
    await expect(scripts.up.run(db, context)).rejects.toThrow(/_m\.mjs: it exports no function `up`/);
  });
});
