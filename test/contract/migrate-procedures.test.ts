import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TenancyError } from '../../src/errors.js';
import type { LocalMigration } from '../../src/migrations/migration.js';
import { applyOptions, openSession, sqlMigration, type TestSession, useTenantDatabase } from './migrate-rig.js';

const NO_TRANSACTION = '-- tenancy: no-transaction\n';
const GATE = 4711;

/** Commits a row at a time; before the row `gate` it waits for whoever holds the test's lock, and the row 0 fails. */
const procedure = sqlMigration(
  'a',
  `CREATE TABLE batches (n int CHECK (n > 0));
CREATE PROCEDURE fill(numbers int[], gate int DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE i int;
BEGIN
  FOREACH i IN ARRAY numbers LOOP
    IF i = gate THEN PERFORM pg_advisory_lock(${GATE}); PERFORM pg_advisory_unlock(${GATE}); END IF;
    INSERT INTO batches VALUES (i);
    COMMIT;
  END LOOP;
END $$;`,
);

const doBlock = `DO $$ BEGIN FOR i IN 1..2 LOOP INSERT INTO batches VALUES (i); COMMIT; END LOOP; END $$`;

describe.each(['15', '18'] as const)('procedures and blocks that commit, on PostgreSQL %s', (version) => {
  const tenants = useTenantDatabase(version);
  const { newSchema, withSession } = tenants;

  async function batches(schema: string): Promise<number[]> {
    return (await tenants.database.query<{ n: number }>(`SELECT n FROM ${schema}.batches ORDER BY n`)).map(({ n }) => n);
  }

  function apply(session: TestSession, ...migrations: LocalMigration[]): Promise<unknown> {
    return session.applyMigrations(migrations, applyOptions({ expectedDigest: null }));
  }

  function failureOf(running: Promise<unknown>): Promise<TenancyError> {
    return running.then(
      () => expect.unreachable('it was to fail'),
      (error: unknown) => {
        if (!(error instanceof TenancyError)) throw error;
        return error;
      },
    );
  }

  it('runs them once, in the tenant, with nothing left in the session', async () => {
    for (const schema of [await newSchema(), null]) {
      await withSession({ schema }, async (session) => {
        const settings = `SELECT name, setting FROM pg_settings WHERE name LIKE '%_timeout' OR name IN ('search_path', 'client_connection_check_interval')`;
        const before = await session.client.query(settings);
        const fill = sqlMigration('b', `${NO_TRANSACTION}CALL fill(ARRAY[3, 4]);\n${doBlock};\nINSERT INTO batches VALUES (5);`);
        await session.applyMigrations([procedure, fill], applyOptions());
        expect((await session.client.query(settings)).rows).toEqual(before.rows);
        expect(await session.readHistory()).toMatchObject({ progress: null, applied: [{ name: 'a' }, { name: 'b' }] });
      });
      expect(await batches(schema ?? 'public')).toEqual([1, 2, 3, 4, 5]);
    }
  });

  it('refuses their COMMIT in a file that is one transaction, and says what to write', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      await apply(session, procedure, sqlMigration('b', 'DO $$ BEGIN INSERT INTO batches VALUES (7); END $$'));
      const error = await failureOf(apply(session, sqlMigration('c', `\n${doBlock}`)));
      expect(error).toMatchObject({ code: 'TENANCY_MIGRATION_FAILED', details: { line: 2 } });
      expect(error.message).toContain('2D000');
      expect(error.hint).toMatch(/^make `-- tenancy: no-transaction` the first line of migrations\/c\.sql/);
    });
    expect(await batches(schema)).toEqual([7]);
  });

  it.each([
    ['applied', [1]],
    ['rerun', [1, 1, 2]],
  ] as const)('stops as unknown when killed in the middle, until somebody says %s', async (answer, expected) => {
    const schema = await newSchema();
    const fill = sqlMigration('b', `${NO_TRANSACTION}CALL fill(ARRAY[1, 2], gate => 2);`);
    const gate = await openSession(tenants.database.url, { schema });
    await gate.client.query('SELECT pg_advisory_lock($1)', [GATE]);
    const killed = await openSession(tenants.database.url, { schema });
    const running = expect(apply(killed, procedure, fill)).rejects.toThrow();
    while ((await tenants.database.query(`SELECT FROM pg_locks WHERE pid = $1 AND NOT granted`, [killed.pid])).length === 0)
      await delay(10);
    await withSession({ schema, fence: 2, lockTimeoutMs: 200 }, async (other) => {
      expect(await failureOf(apply(other, fill))).toMatchObject({ code: 'TENANCY_TENANT_BUSY' });
    });
    await tenants.database.query('SELECT pg_terminate_backend($1)', [killed.pid]);
    await running;
    await Promise.all([killed.close(), gate.close()]);
    await withSession({ schema, fence: 3 }, async (session) => {
      for (let again = 0; again < 2; again++)
        expect(await failureOf(apply(session, fill))).toMatchObject({ code: 'TENANCY_MIGRATION_UNKNOWN', details: { line: 2 } });
      expect(await batches(schema)).toEqual([1]);
      await session.resolveProgress(answer);
      await apply(session, fill);
      expect(await session.readHistory()).toMatchObject({ progress: null, applied: [{ name: 'a' }, { name: 'b' }] });
    });
    expect(await batches(schema)).toEqual(expected);
  });

  it('runs one again that failed before its first commit, but not one that kept a part of its work', async () => {
    const schema = await newSchema();
    const fill = sqlMigration('b', `${NO_TRANSACTION}CALL fill(ARRAY[1, 0]);`);
    await withSession({ schema }, async (session) => {
      await apply(session, procedure);
      await tenants.database.query(`ALTER TABLE ${schema}.batches ADD CONSTRAINT none CHECK (n > 9)`);
      const first = await failureOf(apply(session, fill));
      expect(first.message).not.toContain('is kept');
      expect((await session.readHistory()).progress).toMatchObject({ state: 'between' });
      await tenants.database.query(`ALTER TABLE ${schema}.batches DROP CONSTRAINT none`);
      const second = await failureOf(apply(session, fill));
      expect(second.message).toContain('what it had committed before is kept');
      expect(second.hint).toContain('tenancy tenant repair acme --applied');
      expect(await failureOf(apply(session, fill))).toMatchObject({ code: 'TENANCY_MIGRATION_UNKNOWN' });
      await session.resolveProgress('applied');
      await apply(session, fill);
      expect((await session.readHistory()).applied).toHaveLength(2);
    });
    expect(await batches(schema)).toEqual([1]);
  });

  it('leaves them in the transaction behind a pooler, where no search path can be set around them', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      Object.assign(session.client, { processID: -1 });
      await apply(session, procedure, sqlMigration('b', `${NO_TRANSACTION}DO $$ BEGIN INSERT INTO batches VALUES (8); END $$`));
      const error = await failureOf(apply(session, sqlMigration('c', `${NO_TRANSACTION}${doBlock}`)));
      expect(error.message).toContain('2D000');
      expect(error.hint).toContain('not to a pooler');
      expect((await session.readHistory()).applied).toHaveLength(2);
    });
    expect(await batches(schema)).toEqual([8]);
  });
});
