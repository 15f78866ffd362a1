import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { historyDigest } from '../../src/migrations/history-digest.js';
import { applyOptions, checksumOfSent, counted, openSession, sqlMigration, useTenantDatabase } from './migrate-rig.js';

const NO_TRANSACTION = '-- tenancy: no-transaction\n';

describe.each(['15', '18'] as const)('migrations without a transaction, on PostgreSQL %s', (version) => {
  const tenants = useTenantDatabase(version);
  const { newSchema, withSession } = tenants;

  async function isValid(schema: string, index: string): Promise<boolean | undefined> {
    const rows = await tenants.database.query<{ valid: boolean }>(
      `SELECT i.indisvalid AS valid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = $1 AND c.relnamespace = $2::regnamespace`,
      [index, schema],
    );
    return rows[0]?.valid;
  }

  const index = sqlMigration(
    'b_index',
    `${NO_TRANSACTION}CREATE INDEX CONCURRENTLY t_a_id ON t_a (id);\nINSERT INTO counts VALUES ('b_index', 1);\n`,
  );

  it('runs a statement a step, in the tenant, and leaves no setting behind', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      const before = await session.client.query('SHOW search_path');
      const options = applyOptions();
      await session.applyMigrations([counted('a'), index, counted('c')], options);
      expect(options.seen).toEqual(['a', 'b_index', 'c']);
      expect((await session.client.query('SHOW search_path')).rows).toEqual(before.rows);
      const history = await session.readHistory();
      expect(history).toMatchObject({ progress: null, applied: [{ name: 'a' }, { name: 'b_index' }, { name: 'c' }] });
    });
    expect(await isValid(schema, 't_a_id')).toBe(true);
  });

  it('is refused where the file is one transaction, before anything runs', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      const bad = sqlMigration('b', 'CREATE INDEX CONCURRENTLY i ON t_a (id)');
      await expect(session.applyMigrations([counted('a'), bad], applyOptions())).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_NEEDS_NO_TRANSACTION',
      });
      expect((await session.readHistory()).applied).toEqual([]);
    });
  });

  it('goes on behind the statements that are done, and builds an index anew that a failure left invalid', async () => {
    const schema = await newSchema();
    const unique = sqlMigration(
      'b',
      `${NO_TRANSACTION}INSERT INTO counts VALUES ('b', 1);\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS u ON counts (name, n);\nINSERT INTO counts VALUES ('b2', 1)`,
    );
    await withSession({ schema }, async (session) => {
      await session.applyMigrations([counted('a')], applyOptions());
      await tenants.database.query(`INSERT INTO ${schema}.counts VALUES ('x', 1), ('x', 1)`);
      const again = applyOptions({ expectedDigest: historyDigest([counted('a')]) });
      await expect(session.applyMigrations([unique], again)).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
        details: { migration: 'b', line: 3, statement: expect.stringContaining('CREATE UNIQUE INDEX') },
      });
      expect(await isValid(schema, 'u')).toBe(false);
      expect((await session.readHistory()).progress).toEqual({
        name: 'b',
        checksum: checksumOfSent(unique, 1),
        statementsDone: 1,
        state: 'between',
      });
      await tenants.database.query(`DELETE FROM ${schema}.counts WHERE name = 'x'`);
      const text = unique.up.type === 'sql' ? unique.up.sql : '';
      const edited = sqlMigration('b', text.replace("('b', 1)", "('b', 2)"));
      await expect(session.applyMigrations([edited], again)).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_PROGRESS_DRIFTED' });
      // What failed, and what comes behind it, may be mended.
      await session.applyMigrations([sqlMigration('b', text.replace("('b2', 1)", "('b2', 2)"))], again);
      expect(await isValid(schema, 'u')).toBe(true);
      expect((await session.readHistory()).progress).toBeNull();
    });
    expect(await tenants.database.query(`SELECT name, n FROM ${schema}.counts ORDER BY 1`)).toEqual([
      { name: 'a', n: 1 },
      { name: 'b', n: 1 },
      { name: 'b2', n: 2 },
    ]);
  });

  it('finishes an index whose builder was killed on the way', async () => {
    const schema = await newSchema();
    await withSession({ schema }, (session) => session.applyMigrations([counted('a')], applyOptions()));
    const blocker = await openSession(tenants.database.url, { schema });
    await blocker.client.query(`BEGIN; INSERT INTO ${schema}.t_a VALUES (1)`);
    const killed = await openSession(tenants.database.url, { schema });
    const options = (): ReturnType<typeof applyOptions> => applyOptions({ expectedDigest: historyDigest([counted('a')]) });
    const building = expect(killed.applyMigrations([index], options())).rejects.toThrow();
    while ((await isValid(schema, 't_a_id')) === undefined) await delay(10);
    await withSession({ schema, lockTimeoutMs: 200, fence: 2 }, (other) =>
      expect(other.applyMigrations([index], options())).rejects.toMatchObject({ code: 'TENANCY_TENANT_BUSY' }),
    );
    await tenants.database.query('SELECT pg_terminate_backend($1)', [killed.pid]);
    await building;
    await killed.close();
    expect(await isValid(schema, 't_a_id')).toBe(false);
    await blocker.client.query('COMMIT');
    await blocker.close();
    await withSession({ schema, fence: 2 }, async (session) => {
      expect((await session.readHistory()).progress).toMatchObject({ statementsDone: 0, state: 'started' });
      await session.applyMigrations([index], options());
    });
    expect(await isValid(schema, 't_a_id')).toBe(true);
    expect(await tenants.database.query(`SELECT count(*)::int AS n FROM ${schema}.counts WHERE name = 'b_index'`)).toEqual([{ n: 1 }]);
  });

  it('adopts an index that was finished after its builder had gone', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      await session.applyMigrations([counted('a')], applyOptions());
      await tenants.database.query(
        `INSERT INTO ${schema}._tenancy_state (type, name, checksum, statements_done, statement) VALUES ('progress', 'b_index', '${checksumOfSent(index, 1)}', 0, 'started')`,
      );
      await tenants.database.query(`CREATE INDEX t_a_id ON ${schema}.t_a (id)`);
      await session.applyMigrations([index], applyOptions({ expectedDigest: historyDigest([counted('a')]) }));
      expect((await session.readHistory()).applied).toHaveLength(2);
    });
  });

  it('stops at what it cannot probe, until somebody says what became of it', async () => {
    const schema = await newSchema();
    const detach = sqlMigration(
      'b',
      `${NO_TRANSACTION}ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;\nINSERT INTO counts VALUES ('b', 1);`,
    );
    await withSession({ schema }, async (session) => {
      const options = (): ReturnType<typeof applyOptions> => applyOptions({ expectedDigest: historyDigest([counted('a')]) });
      await session.applyMigrations([counted('a')], applyOptions());
      await tenants.database.query(
        `CREATE TABLE ${schema}.p (id int) PARTITION BY LIST (id); CREATE TABLE ${schema}.p1 PARTITION OF ${schema}.p FOR VALUES IN (1)`,
      );
      await tenants.database.query(
        `INSERT INTO ${schema}._tenancy_state (type, name, checksum, statements_done, statement) VALUES ('progress', 'b', '${checksumOfSent(detach, 1)}', 0, 'started')`,
      );
      await expect(session.applyMigrations([detach], options())).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_UNKNOWN',
        details: { migration: 'b', line: 2 },
      });
      await session.resolveProgress('rerun');
      await session.applyMigrations([detach], options());
      expect((await session.readHistory()).applied).toHaveLength(2);
    });
    expect(await tenants.database.query(`SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent = '${schema}.p'::regclass`)).toEqual([
      { n: 0 },
    ]);
  });

  it('counts a statement as done when told so', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      await session.applyMigrations([counted('a')], applyOptions());
      const vacuum = sqlMigration('b', `${NO_TRANSACTION}VACUUM no_such_table`);
      await tenants.database.query(
        `INSERT INTO ${schema}._tenancy_state (type, name, checksum, statements_done, statement) VALUES ('progress', 'b', '${checksumOfSent(vacuum, 1)}', 0, 'started')`,
      );
      await session.resolveProgress('applied');
      await session.applyMigrations([vacuum], applyOptions({ expectedDigest: historyDigest([counted('a')]) }));
      expect(await session.readHistory()).toMatchObject({ progress: null, applied: [{ name: 'a' }, { name: 'b' }] });
    });
  });

  it('drops, rebuilds and vacuums, by schema and in a database of its own', async () => {
    const schema = await newSchema();
    const drop = sqlMigration(
      'c',
      `${NO_TRANSACTION}REINDEX INDEX CONCURRENTLY t_a_id;\nVACUUM (ANALYZE) t_a;\nDROP INDEX CONCURRENTLY IF EXISTS t_a_id`,
    );
    for (const home of [schema, null]) {
      await withSession({ schema: home }, async (session) => {
        await session.applyMigrations([counted('a'), index, drop], applyOptions());
        expect((await session.readHistory()).applied).toHaveLength(3);
      });
      expect(await isValid(home ?? 'public', 't_a_id')).toBeUndefined();
    }
  });

  it('sets nothing for the session behind a pooler, where it would reach other clients', async () => {
    const schema = await newSchema();
    const all = sqlMigration(
      'c',
      `${NO_TRANSACTION}CREATE INDEX CONCURRENTLY IF NOT EXISTS "U" ON ONLY t_a USING btree (id);\nVACUUM (ANALYZE) t_a;\nREINDEX TABLE CONCURRENTLY t_a;\nDROP INDEX CONCURRENTLY "U";`,
    );
    await withSession({ schema }, async (session) => {
      // A pooler tells its clients a process id of its own.
      Object.assign(session.client, { processID: -1 });
      await session.applyMigrations([counted('a'), index, all], applyOptions());
      expect((await session.readHistory()).applied).toHaveLength(3);
      const bad = sqlMigration('d', `${NO_TRANSACTION}CREATE INDEX CONCURRENTLY i ON t_a (nothing(id))`);
      await expect(session.applyMigrations([bad], applyOptions({ expectedDigest: null }))).rejects.toMatchObject({
        details: { line: 2, column: 37 },
      });
    });
    expect(await isValid(schema, 't_a_id')).toBe(true);
  });
});
