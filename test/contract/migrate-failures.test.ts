import { describe, expect, it } from 'vitest';
import { applyOptions, counted, openSession, sqlMigration, useTenantDatabase } from './migrate-rig.js';

describe.each(['15', '18'] as const)('what is told of migrations that fail, on PostgreSQL %s', (version) => {
  const tenants = useTenantDatabase(version);
  const { newSchema, withSession } = tenants;

  async function countsOf(schema: string): Promise<string[]> {
    const rows = await tenants.database.query<{ line: string }>(
      `SELECT name || ':' || sum(n) AS line FROM ${schema}.counts GROUP BY name ORDER BY name`,
    );
    return rows.map(({ line }) => line);
  }

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
      const error = await session
        .applyMigrations([counted('a'), counted('b'), bad, counted('d')], options)
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'TENANCY_MIGRATION_FAILED', details: { migration: 'c', line: 4, column: 3 } });
      expect(options.seen).toEqual(['a', 'b']);
    });
    expect(await countsOf(schema)).toEqual(['a:1', 'b:1']);
  });

  it('finds the place of an error behind emoji, rewriting and nested quotes', async () => {
    const schema = await newSchema();
    const bad = sqlMigration(
      'a',
      `-- 🐘🐘🐘\r\nCREATE TABLE public.a (id int);\r\nDO $x$ BEGIN EXECUTE $y$ SELECT '$$' $y$; END $x$;\r\nSELECT '🐘', public.nothing();\r\n`,
    );
    await withSession({ schema }, async (session) => {
      await expect(session.applyMigrations([bad], applyOptions({ publicTo: 'tenant' }))).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
        details: {
          line: 4,
          column: 13,
          statement: expect.stringContaining('\n  |             ^'),
          reason: expect.stringContaining('42883'),
        },
      });
    });
  });

  it('says what the server says beside its message, and shows no password', async () => {
    const schema = await newSchema();
    const bad = sqlMigration('a', `CREATE TABLE a (id int UNIQUE); INSERT INTO a VALUES (1), (1);`);
    const secret = sqlMigration('a', `CREATE ROLE postgres PASSWORD 'hunter2'`);
    await withSession({ schema }, async (session) => {
      await expect(session.applyMigrations([bad], applyOptions())).rejects.toThrow(/23505\); detail: Key \(id\)=\(1\) already exists/);
      const error = (await session.applyMigrations([secret], applyOptions()).catch((thrown: unknown) => thrown)) as Error;
      expect(error.message).toMatch(/PASSWORD '?\*+/);
      expect(error.message).not.toContain('hunter2');
      const nested = sqlMigration('a', `DO $$ BEGIN EXECUTE 'CREATE ROLE postgres PASSWORD ''hunter2'''; END $$`);
      const inner = (await session.applyMigrations([nested], applyOptions()).catch((thrown: unknown) => thrown)) as Error;
      expect(inner.message).toContain('42710');
      expect(inner.message).not.toContain('hunter2');
    });
  });

  it('names a constraint that fails at the COMMIT', async () => {
    const schema = await newSchema();
    const bad = sqlMigration('b', 'CREATE TABLE b (id int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO b VALUES (1), (1); -- end');
    await withSession({ schema }, async (session) => {
      await expect(session.applyMigrations([counted('a'), bad, counted('c')], applyOptions())).rejects.toThrow(
        /migration b: .*at the end of the migration/,
      );
      expect((await session.readHistory()).applied).toHaveLength(1);
    });
  });

  it('names who is at work in the tenant, when the wait is over', async () => {
    const schema = await newSchema();
    const other = await openSession(tenants.database.url, { schema });
    await other.client.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('tenancy:test:${schema}', 0))`);
    await withSession({ schema, lockTimeoutMs: 100 }, (session) =>
      expect(session.applyMigrations([counted('a')], applyOptions())).rejects.toMatchObject({
        code: 'TENANCY_TENANT_BUSY',
        details: { holder: expect.stringMatching(`^process ${other.pid}`) },
      }),
    );
    await other.close();
  });

  it('logs what a script raises, up to a thousand lines, and nothing of its own tables', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      const options = applyOptions();
      const raise = `DO $$ BEGIN RAISE NOTICE 'hello %', 1 USING hint = 'wave'; RAISE WARNING 'password=secret'; END $$`;
      await session.applyMigrations([sqlMigration('a', `DROP TABLE IF EXISTS nothing;${raise}`)], options);
      expect(options.logged).toEqual([
        'NOTICE: table "nothing" does not exist, skipping',
        'NOTICE: hello 1; hint: wave',
        'WARNING: password=******',
      ]);
      const many = applyOptions({ expectedDigest: null });
      const loop = `DO $$ BEGIN FOR i IN 1..3000 LOOP RAISE NOTICE '%', i; END LOOP; END $$`;
      await session.applyMigrations([sqlMigration('b', loop)], many);
      expect(many.logged).toHaveLength(1000);
      expect(many.logged.slice(-2)).toEqual(['NOTICE: 999', '… no more than 1000 notices are kept']);
      const again = applyOptions({ expectedDigest: null });
      const bad = sqlMigration('c', `DO $$ BEGIN RAISE NOTICE 'so far'; END $$; SELECT 1/0`);
      await expect(session.applyMigrations([bad], again)).rejects.toThrow('division by zero');
      expect(again.logged).toEqual(['NOTICE: so far']);
      expect(session.client.listenerCount('notice')).toBe(0);
    });
  });

  it('blames no migration for a home that is not there, nor a neighbour for a file that ends too early', async () => {
    await withSession({ schema: 'no_such_schema' }, (session) =>
      expect(session.applyMigrations([counted('a')], applyOptions())).rejects.toMatchObject({ name: 'error', code: '3F000' }),
    );
    const schema = await newSchema();
    await withSession({ schema }, (session) =>
      expect(
        session.applyMigrations([counted('a'), sqlMigration('b', 'CREATE TABLE'), counted('c')], applyOptions()),
      ).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
        details: { migration: 'b', line: 1, column: 13, statement: expect.stringContaining('CREATE TABLE') },
      }),
    );
    expect(await countsOf(schema)).toEqual(['a:1']);
  });
});
