import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { historyDigest } from '../../src/migrations/history-digest.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { applyOptions, counted, openSession, sqlMigration, type SessionSetting, type TestSession } from './migrate-rig.js';

describe.each(['15', '18'] as const)('migrations as SQL, on PostgreSQL %s', (version) => {
  let database: TestDatabase;
  let tenants = 0;

  beforeAll(async () => {
    database = await createTestDatabase(version);
    await database.query('CREATE SCHEMA extensions');
  });
  afterAll(() => database?.drop());

  async function newSchema(): Promise<string> {
    const schema = `tenant_${++tenants}`;
    await database.query(`CREATE SCHEMA ${schema}`);
    return schema;
  }

  async function withSession<T>(setting: SessionSetting, use: (session: TestSession) => Promise<T>): Promise<T> {
    const session = await openSession(database.url, setting);
    try {
      return await use(session);
    } finally {
      await session.close();
    }
  }

  async function countsOf(schema: string): Promise<string[]> {
    const rows = await database.query<{ line: string }>(`SELECT name || ':' || sum(n) AS line FROM ${schema}.counts GROUP BY name ORDER BY name`);
    return rows.map(({ line }) => line);
  }

  it('applies all that is pending, and reads it back in order', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      expect(await session.readHistory()).toEqual({ applied: [], seeds: [], progress: null, fence: 0 });
      const options = applyOptions();
      const steps = [counted('b'), counted('a'), counted('c')];
      const applied = await session.applyMigrations(steps, options);
      expect(options.seen).toEqual(['b', 'a', 'c']);
      const history = await session.readHistory();
      expect(history.applied.map(({ name }) => name)).toEqual(['b', 'a', 'c']);
      expect(history.applied).toEqual(applied);
      expect(history.applied[0]).toMatchObject({ runId: 'run-1', checksum: steps[0]?.checksum });
      expect(history.fence).toBe(1);
    });
    expect(await countsOf(schema)).toEqual(['a:1', 'b:1', 'c:1']);
  });

  it('keeps the first two of five when the third fails, and names the statement', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      const bad = sqlMigration('c', `CREATE TABLE fine (id int);\n\nINSERT INTO fine\n  VALUES (1/0); -- no position\n`);
      const options = applyOptions();
      const failed = session.applyMigrations([counted('a'), counted('b'), bad, counted('d'), counted('e')], options);
      await expect(failed).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
        details: { tenant: 'acme', migration: 'c', file: 'migrations/c.sql', line: 3, column: 1 },
      });
      expect(options.seen).toEqual(['a', 'b']);
      expect((await session.readHistory()).applied.map(({ name }) => name)).toEqual(['a', 'b']);
    });
    expect(await countsOf(schema)).toEqual(['a:1', 'b:1']);
  });

  it('applies what stands before a file that the server cannot read', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      const bad = sqlMigration('c', `-- 🐘🐘\nCREATE TABLE "🐘" (id int);\r\nCREATE TABLE x (\r\n  '🐘' id int);\n`);
      const options = applyOptions();
      const error = await session.applyMigrations([counted('a'), counted('b'), bad, counted('d')], options).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'TENANCY_MIGRATION_FAILED', details: { migration: 'c', line: 4, column: 3 } });
      expect(options.seen).toEqual(['a', 'b']);
    });
    expect(await countsOf(schema)).toEqual(['a:1', 'b:1']);
  });

  it('refuses to run on a history that has moved', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      await session.applyMigrations([counted('a')], applyOptions());
      await expect(session.applyMigrations([counted('b')], applyOptions())).rejects.toMatchObject({ code: 'TENANCY_HISTORY_MOVED' });
      await session.applyMigrations([counted('b')], applyOptions({ expectedDigest: historyDigest([counted('a')]) }));
    });
    expect(await countsOf(schema)).toEqual(['a:1', 'b:1']);
  });
});
