import { describe, expect, it } from 'vitest';
import { historyDigest } from '../../src/migrations/history-digest.js';
import { applyOptions, counted, openSession, sqlMigration, useTenantDatabase } from './migrate-rig.js';

describe.each(['15', '18'] as const)('migrations as SQL, on PostgreSQL %s', (version) => {
  const tenants = useTenantDatabase(version);
  const { newSchema, withSession } = tenants;

  async function countsOf(schema: string): Promise<string[]> {
    const rows = await tenants.database.query<{ line: string }>(
      `SELECT name || ':' || sum(n) AS line FROM ${schema}.counts GROUP BY name ORDER BY name`,
    );
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

  it('refuses to run on a history that has moved', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      await session.applyMigrations([counted('a')], applyOptions());
      await expect(session.applyMigrations([counted('b')], applyOptions())).rejects.toMatchObject({ code: 'TENANCY_HISTORY_MOVED' });
      await session.applyMigrations([counted('b')], applyOptions({ expectedDigest: historyDigest([counted('a')]) }));
    });
    expect(await countsOf(schema)).toEqual(['a:1', 'b:1']);
  });

  it('applies a file once when two sessions race, and waits for the other', async () => {
    const schema = await newSchema();
    const slow = sqlMigration('b', `SELECT pg_sleep(0.3); INSERT INTO counts VALUES ('b', 1);`);
    const race = await Promise.allSettled(
      [1, 2].map((fence) =>
        withSession({ schema, fence }, (session) => session.applyMigrations([counted('a'), slow, counted('c')], applyOptions())),
      ),
    );
    const lost = race.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { code: string }).code] : []));
    expect(lost).toHaveLength(1);
    expect(['TENANCY_HISTORY_MOVED', 'TENANCY_FENCE_LOST']).toContain(lost[0]);
    expect(await countsOf(schema)).toEqual(['a:1', 'b:1', 'c:1']);
  });

  it('writes nothing with a fence that is behind', async () => {
    const schema = await newSchema();
    const options = (): ReturnType<typeof applyOptions> => applyOptions({ expectedDigest: null });
    await withSession({ schema, fence: 5 }, (session) => session.applyMigrations([counted('a')], options()));
    await withSession({ schema, fence: 4 }, async (session) => {
      await expect(session.applyMigrations([counted('b')], options())).rejects.toMatchObject({ code: 'TENANCY_FENCE_LOST' });
      await expect(session.recordApplied([counted('b')])).rejects.toMatchObject({ code: 'TENANCY_FENCE_LOST' });
      expect(await session.readHistory()).toMatchObject({ fence: 5, applied: [{ name: 'a' }] });
    });
    await withSession({ schema, fence: 6 }, (session) => session.applyMigrations([counted('b')], options()));
    expect(await countsOf(schema)).toEqual(['a:1', 'b:1']);
  });

  it('is finished by a new session after the first was killed in the middle of the message', async () => {
    const schema = await newSchema();
    const steps = [
      counted('a'),
      counted('b'),
      sqlMigration('c', `SELECT pg_sleep(0.4); INSERT INTO counts VALUES ('c', 1);`),
      counted('d'),
    ];
    const killed = await openSession(tenants.database.url, { schema });
    const options = applyOptions();
    const running = expect(killed.applyMigrations(steps, options)).rejects.toMatchObject({ code: '57P01' });
    while (
      (await tenants.database.query(`SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'`, [killed.pid])).length === 0
    );
    await tenants.database.query('SELECT pg_terminate_backend($1)', [killed.pid]);
    await running;
    expect(options.seen).toEqual(['a', 'b']);
    await withSession({ schema, fence: 2 }, async (session) => {
      const { applied } = await session.readHistory();
      expect(applied.map(({ name }) => name)).toEqual(['a', 'b']);
      await session.applyMigrations(steps.slice(applied.length), applyOptions({ expectedDigest: historyDigest(applied) }));
    });
    expect(await countsOf(schema)).toEqual(['a:1', 'b:1', 'c:1', 'd:1']);
  });

  it('parts what is too large for one message', async () => {
    const schema = await newSchema();
    const large = (name: string): ReturnType<typeof sqlMigration> =>
      sqlMigration(
        name,
        `${counted(name).up.type === 'sql' ? `CREATE TABLE IF NOT EXISTS counts (name text, n int); INSERT INTO counts VALUES ('${name}', 1);` : ''} -- ${'x'.repeat(700_000)}`,
      );
    await withSession({ schema }, (session) => session.applyMigrations(['a', 'b', 'c'].map(large), applyOptions()));
    expect(await countsOf(schema)).toEqual(['a:1', 'b:1', 'c:1']);
  });

  it('keeps the settings, roles and temporary tables of a file to that file', async () => {
    const schema = await newSchema();
    await tenants.database.query(
      `DO $$ BEGIN CREATE ROLE ${tenants.database.name}_${schema}; EXCEPTION WHEN duplicate_object THEN NULL; END $$; GRANT ALL ON SCHEMA ${schema} TO ${tenants.database.name}_${schema}`,
    );
    const file = (name: string): ReturnType<typeof sqlMigration> =>
      sqlMigration(
        name,
        `SET lock_timeout = 77; CREATE TEMP TABLE scratch (id int); SELECT set_config('statement_timeout', '78', false); SET ROLE ${tenants.database.name}_${schema}; CREATE TABLE ${name} (id int);`,
      );
    await withSession({ schema }, async (session) => {
      const settings = `SELECT current_setting('lock_timeout') AS l, current_setting('statement_timeout') AS s, current_user AS u, to_regclass('scratch') AS t`;
      const before = (await session.client.query(settings)).rows;
      await session.applyMigrations([file('a'), file('b')], applyOptions());
      expect((await session.client.query(settings)).rows).toEqual(before);
    });
  });

  it('keeps its history in a schema of its own where the database is the tenant’s', async () => {
    await withSession({ schema: null }, async (session) => {
      await session.applyMigrations(
        [
          sqlMigration('a', 'CREATE TABLE public.own (id int); SET search_path TO nowhere'),
          sqlMigration('b', 'INSERT INTO own VALUES (1)'),
        ],
        applyOptions(),
      );
      expect((await session.readHistory()).applied).toHaveLength(2);
    });
    expect(
      await tenants.database.query(
        `SELECT nspname FROM pg_namespace WHERE oid = (SELECT relnamespace FROM pg_class WHERE relname = '_tenancy_migrations' AND relnamespace = '_tenancy'::regnamespace)`,
      ),
    ).toHaveLength(1);
  });

  it('creates an extension once, in the shared schema, when tenants race for it', async () => {
    const schemas = await Promise.all(Array.from({ length: 4 }, newSchema));
    const file = sqlMigration(
      'a',
      `CREATE EXTENSION IF NOT EXISTS\n  citext WITH SCHEMA public;\nCREATE TABLE a (name citext);\nSELECT nothing;`,
    );
    const good = sqlMigration('a', `CREATE EXTENSION IF NOT EXISTS\n  citext WITH SCHEMA public;\nCREATE TABLE a (name citext);`);
    await Promise.all(schemas.map((schema) => withSession({ schema }, (session) => session.applyMigrations([good], applyOptions()))));
    expect(
      await tenants.database.query(`SELECT extnamespace::regnamespace::text AS home FROM pg_extension WHERE extname = 'citext'`),
    ).toEqual([{ home: 'extensions' }]);
    const schema = await newSchema();
    await withSession({ schema }, (session) =>
      expect(session.applyMigrations([file], applyOptions())).rejects.toMatchObject({ details: { line: 4, column: 8 } }),
    );
    await withSession({ schema }, (session) =>
      expect(
        session.applyMigrations([sqlMigration('a', 'SELECT 1'), sqlMigration('b', 'CREATE EXTENSION no_such_thing')], applyOptions()),
      ).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
        details: { migration: 'b', reason: expect.stringContaining('no_such_thing') },
      }),
    );
  });

  it('reverts with the down scripts, and refuses as a whole where one is missing', async () => {
    const schema = await newSchema();
    const a = sqlMigration('a', 'CREATE TABLE a (id int)', 'DROP TABLE a');
    const b = sqlMigration('b', 'CREATE TABLE b (id int)', 'DROP TABLE b; SELECT 1/0');
    const c = sqlMigration('c', 'CREATE TABLE c (id int)', '-- tenancy: no-transaction\nDROP TABLE c; VACUUM a');
    const d = sqlMigration('d', 'CREATE TABLE d (id int)');
    await withSession({ schema }, async (session) => {
      await session.applyMigrations([a, b, c, d], applyOptions());
      const digest = (...left: (typeof a)[]): string => historyDigest(left);
      await expect(session.revertMigrations([d, c], applyOptions({ expectedDigest: digest(a, b, c, d) }))).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_IRREVERSIBLE',
      });
      await session.revertMigrations(
        [{ ...d, down: { type: 'sql', file: 'd.down.sql', sql: 'DROP TABLE d', isTransactional: true } }],
        applyOptions({ expectedDigest: digest(a, b, c, d) }),
      );
      const options = applyOptions({ expectedDigest: digest(a, b, c) });
      await expect(session.revertMigrations([c, b, a], options)).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
        details: { migration: 'b' },
      });
      expect(options.seen).toEqual(['c']);
      expect((await session.readHistory()).applied.map(({ name }) => name)).toEqual(['a', 'b']);
    });
  });

  it('runs a seed once, also when two race for it', async () => {
    const schema = await newSchema();
    const script = (sql: string) => ({ type: 'sql', file: 'seeds/plans.sql', sql, isTransactional: true }) as const;
    const seed = { name: 'plans.sql', checksum: 'x', script: script(`SELECT pg_sleep(0.1); INSERT INTO counts VALUES ('seed', 1)`) };
    await withSession({ schema }, (session) => session.applyMigrations([counted('a')], applyOptions()));
    const answers = await Promise.all([1, 1].map((fence) => withSession({ schema, fence }, (session) => session.applySeed(seed))));
    expect(answers.sort()).toEqual([false, true]);
    await withSession({ schema }, async (session) => {
      expect(await session.applySeed(seed)).toBe(false);
      expect((await session.readHistory()).seeds).toEqual(['plans.sql']);
      const bad = { ...seed, name: 'bad', script: script('INSERT INTO nothing VALUES (1)') };
      await expect(session.applySeed(bad, { tenant: 'acme' })).rejects.toMatchObject({
        code: 'TENANCY_SEED_FAILED',
        details: { tenant: 'acme', line: 1 },
      });
    });
    expect(await countsOf(schema)).toEqual(['a:1', 'seed:1']);
  });

  it('records what is there already without running it', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      await session.recordApplied([counted('a'), counted('b')]);
      await session.recordApplied([counted('a'), counted('b'), counted('c')]);
      expect((await session.readHistory()).applied.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    });
  });

  it('goes on where somebody has dropped the table of the state', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      await session.applyMigrations([counted('a')], applyOptions());
      await tenants.database.query(`DROP TABLE ${schema}._tenancy_state`);
      const { applied, seeds, fence } = await session.readHistory();
      expect({ names: applied.map(({ name }) => name), seeds, fence }).toEqual({ names: ['a'], seeds: [], fence: 0 });
      await session.applyMigrations([counted('b')], applyOptions({ expectedDigest: historyDigest(applied) }));
      const after = await session.readHistory();
      expect({ names: after.applied.map(({ name }) => name), fence: after.fence }).toEqual({ names: ['a', 'b'], fence: 1 });
    });
    await withSession({ schema, fence: 0 }, (session) =>
      expect(session.applyMigrations([counted('c')], applyOptions({ expectedDigest: null }))).rejects.toMatchObject({
        code: 'TENANCY_FENCE_LOST',
      }),
    );
  });
});
