import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkScripts } from '../../src/lifecycle/check-scripts.js';
import { createModuleScripts, createSeedScript } from '../../src/migrations/source-module.js';
import { moduleMigration, sqlMigration } from '../contract/migrate-rig.js';

let directory = '';
let count = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mongodb-modules-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const context = { tenant: 'acme', signal: new AbortController().signal, log: () => undefined };

async function write(text: string, ending: string): Promise<string> {
  count += 1;
  const path = join(directory, `${count}_m${ending}`);
  await writeFile(path, text);
  return path;
}

const importFile = (file: string): Promise<unknown> => import(file);
const up = 'export async function up(db) { db.done.push("up") }\n';

/** What migrate-mongo writes with `migrate-mongo create`, and what its guide shows. */
const migrateMongo = `module.exports = {
  /**
   * @param db {import('mongodb').Db}
   * @param client {import('mongodb').MongoClient}
   * @returns {Promise<void>}
   */
  async up(db, client) {
    db.done.push('up', typeof client.db);
  },

  async down(db, client) {
    db.done.push('down');
  }
};
`;

describe('a module for MongoDB', () => {
  test('may be one of migrate-mongo', async () => {
    const path = await write(migrateMongo, '.cjs');
    const scripts = createModuleScripts(path, migrateMongo, importFile);
    const db = { done: [] as string[] };
    const client = { ...context, db: () => undefined };
    await scripts.up.run(db, client);
    await scripts.down?.run(db, client);
    expect(db.done).toEqual(['up', 'function', 'down']);
    expect(scripts.up).toMatchObject({ isTransactional: true, requestsTransaction: false, isRerunnable: false });
  });

  test.each([
    ['.mjs', `export const transaction = true\n${up}`],
    ['.cjs', 'exports.transaction = true;\nexports.up = (db) => db.done.push("up")'],
    ['.cjs', 'module.exports = { transaction: true, up: (db) => db.done.push("up") }'],
    ['.mjs', 'export default { transaction: true, up: (db) => db.done.push("up") }'],
  ])('asks for a transaction (%s): %s', async (ending, text) => {
    const scripts = createModuleScripts(await write(text, ending), text, importFile);
    expect(scripts.up).toMatchObject({ isTransactional: true, requestsTransaction: true });
    const db = { done: [] as string[] };
    await scripts.up.run(db, context);
    expect(db.done).toEqual(['up']);
  });

  test('says that it bears to be run again', async () => {
    const text = `export const rerunnable = true\n${up}`;
    expect(createModuleScripts('x.ts', text, importFile).up.isRerunnable).toBe(true);
    expect(createModuleScripts('x.ts', `// export const rerunnable = true\n${up}`, importFile).up.isRerunnable).toBe(false);
  });

  test.each(['transaction', 'rerunnable'])('says its %s where it can be read without running it', async (flag) => {
    const text = `const yes = true\nexport { yes as ${flag} }\n${up}`;
    const scripts = createModuleScripts(await write(text, '.mjs'), text, importFile);
    const db = { done: [] as string[] };
    await expect(scripts.up.run(db, context)).rejects.toMatchObject({
      code: 'TENANCY_MIGRATION_MODULE_REJECTED',
      hint: expect.stringContaining(`\`export const ${flag} = true\``),
    });
    expect(db.done).toEqual([]);
  });
});

describe('a seed that is a module', () => {
  test.each([
    ['.mjs', 'export default async (db) => { db.done.push("seed") }'],
    ['.mjs', 'export const seed = (db) => db.done.push("seed")'],
    ['.mjs', 'export const up = (db) => db.done.push("seed")'],
    ['.cjs', 'module.exports = async (db) => { db.done.push("seed") }'],
    ['.cjs', 'module.exports = { up: (db) => db.done.push("seed") }'],
    ['.cjs', 'exports.seed = (db) => db.done.push("seed")'],
  ])('is the function that it exports (%s): %s', async (ending, text) => {
    const db = { done: [] as string[] };
    await createSeedScript(await write(text, ending), text, importFile).run(db, context);
    expect(db.done).toEqual(['seed']);
  });

  test('is refused without one', async () => {
    const text = 'export const plans = []';
    const script = createSeedScript(await write(text, '.mjs'), text, importFile);
    await expect(script.run({}, context)).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_MODULE_REJECTED' });
  });
});

test('SQL is refused for tenants on MongoDB before anything is connected to', async () => {
  const modules = [moduleMigration('a', async () => {})];
  await checkScripts(modules, 'mongodb-database', null);
  await expect(checkScripts([...modules, sqlMigration('b', 'SELECT 1')], 'mongodb-database', null)).rejects.toMatchObject({
    code: 'TENANCY_MIGRATION_SQL_REFUSED',
    exitCode: 2,
    message: "migrations/b.sql: SQL can't be run for mongodb-database tenants",
  });
});
