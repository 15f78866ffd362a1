import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterEngine, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import { createTestDatabase, query, type TestDatabase } from '../rig/postgres.js';
import { markerOf, sessionOptions } from './driver-suite.js';

const never = new AbortController().signal;

describe('postgres-schema', () => {
  let database: TestDatabase;
  let engine: ClusterEngine;
  let driver: TenantDriver;

  beforeAll(async () => {
    database = await createTestDatabase('15');
    engine = await openClusterEngine({
      cluster: 'main',
      url: database.url,
      maxConnections: 2,
      extensionsSchema: 'extensions',
      applicationName: 'contract',
    });
    driver = engine.driver('postgres-schema');
  });
  afterAll(async () => {
    await engine.close();
    await database.drop();
  });

  const create = async (name: string): Promise<TenantTarget> => {
    const target = { name, marker: markerOf(name) };
    await driver.create(target, never);
    return target;
  };
  const run = (target: TenantTarget, sql: string): Promise<unknown[]> =>
    driver.withSession(target, sessionOptions(), async ({ db }) => (await db.query(sql)).rows);

  it('makes the shared schema of the extensions once, open to all', async () => {
    await Promise.all(['ext_a', 'ext_b', 'ext_c'].map(create));
    expect(await database.query(`SELECT has_schema_privilege('public', 'extensions', 'USAGE') AS ok`)).toEqual([{ ok: true }]);
  });

  it('takes a schema for empty that holds nothing but its history', async () => {
    const target = await create('history_only');
    await run(target, 'CREATE TABLE _tenancy_migrations (name text PRIMARY KEY, at timestamptz)');
    expect(await driver.probe(target)).toEqual({ status: 'ours', isEmpty: true });
    await run(target, 'CREATE FUNCTION one() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
    expect(await driver.probe(target)).toEqual({ status: 'ours', isEmpty: false });
  });

  it('keeps the comment that a schema had before it was adopted', async () => {
    await database.query(`CREATE SCHEMA commented`);
    await database.query(`COMMENT ON SCHEMA commented IS 'of Bob''s'`);
    await driver.mark({ name: 'commented', marker: markerOf('commented') });
    const [row] = await database.query<{ comment: string }>(`SELECT obj_description('commented'::regnamespace, 'pg_namespace') AS comment`);
    expect(row?.comment).toContain(`"comment":"of Bob's"`);
  });

  it('gives a URL that leads a client of any kind into the schema', async () => {
    const target = await create('url-1');
    await run(target, `CREATE TABLE here (id int)`);
    const url = driver.connectionUrl(target);
    expect(url).toContain('options=-c%20search_path%3D%22url-1%22%2Cextensions');
    expect(await query(url, `SELECT current_schemas(false)::text AS path, to_regclass('here')::text AS here`)).toEqual([
      { path: '{url-1,extensions}', here: 'here' },
    ]);
  });

  it('says that a shared login can not be shut out', async () => {
    const target = await create('access');
    expect(await driver.cutAccess(target, never)).toMatchObject({ isEnforced: false });
    expect(await driver.restoreAccess(target, never)).toMatchObject({ isEnforced: false });
  });

  it('leaves the schemas that no tenant can have out of the list', async () => {
    await database.query('CREATE SCHEMA tenancy');
    await database.query('CREATE SCHEMA _tenancy');
    const names = (await driver.list({ after: null, limit: 1_000 })).map(({ name }) => name);
    expect(names).not.toEqual(expect.arrayContaining(['public']));
    expect(names.filter((name) => /^(pg_|information_schema|public|extensions|_?tenancy)/.test(name))).toEqual([]);
    expect(names).toContain('ext_a');
  });

  describe('db', () => {
    it('runs by itself what refuses to be in a transaction', async () => {
      const target = await create('concurrently');
      await run(target, 'CREATE TABLE t (id int)');
      await run(target, 'CREATE INDEX CONCURRENTLY t_id ON t (id)');
      expect(await run(target, `SELECT indexname FROM pg_indexes WHERE schemaname = 'concurrently'`)).toEqual([{ indexname: 't_id' }]);
    });

    it('refuses a transaction that would not hold together', async () => {
      const target = await create('control');
      await expect(run(target, '-- now\n begin')).rejects.toMatchObject({ code: 'TENANCY_TRANSACTION_REJECTED' });
      await expect(run(target, `CREATE TABLE t (); COMMIT; DROP TABLE public.x`)).rejects.toThrow('COMMIT is not allowed');
      expect(await run(target, `DO $$ BEGIN PERFORM 'COMMIT;'; END $$; SELECT 'ROLLBACK' AS word`)).toEqual([{ word: 'ROLLBACK' }]);
    });

    it('counts the position of an error from the start of the query', async () => {
      const target = await create('position');
      await expect(run(target, 'SELECT 1;\nSELEC 2')).rejects.toMatchObject({ code: '42601', position: '11' });
    });
  });

  describe('a drop of 3,000 tables on a default lock table', () => {
    it('ends, with chains and stars of foreign keys, partitions, views and sequences', { timeout: 180_000 }, async () => {
      const target = await create('large');
      await run(
        target,
        `
        CREATE TABLE hub (id serial PRIMARY KEY);
        CREATE TABLE t0 (id serial PRIMARY KEY);
        CREATE TYPE mood AS ENUM ('ok');
        CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id)`,
      );
      for (let from = 1; from <= 2_500; from += 250) {
        await run(
          target,
          `DO $$ BEGIN FOR i IN ${from}..${from + 249} LOOP
          EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, hub int REFERENCES hub, prev int REFERENCES t%s, note text)', i, i - 1);
        END LOOP; END $$`,
        );
      }
      for (let from = 1; from <= 500; from += 250) {
        await run(
          target,
          `DO $$ BEGIN FOR i IN ${from}..${from + 249} LOOP
          EXECUTE format('CREATE TABLE parted_%s PARTITION OF parted FOR VALUES FROM (%s) TO (%s)', i, i, i + 1);
          EXECUTE format('CREATE FUNCTION f%s() RETURNS int LANGUAGE sql AS $f$ SELECT 1 $f$', i);
          EXECUTE format('CREATE SEQUENCE s%s', i);
        END LOOP; END $$`,
        );
      }
      await run(
        target,
        'CREATE VIEW joined AS SELECT t1.id, t2.note, mood FROM t1 JOIN t2 USING (id), unnest(enum_range(NULL::mood)) mood',
      );
      await expect(database.query('DROP SCHEMA large CASCADE')).rejects.toMatchObject({ code: '53200' });
      expect(await driver.drop(target, never)).toBe('dropped');
      expect(await driver.probe(target)).toEqual({ status: 'absent' });
    });

    it('ends for the owner of the schema who does not own the tables', { timeout: 60_000 }, async () => {
      const [keeper, app] = [`${database.name}_keeper`, `${database.name}_app`];
      await database.query(
        `CREATE ROLE ${keeper} LOGIN PASSWORD 'k'; CREATE ROLE ${app}; GRANT CREATE ON DATABASE ${database.name} TO ${keeper}`,
      );
      const url = new URL(database.url);
      url.username = keeper;
      url.password = 'k';
      const kept = await openClusterEngine({
        cluster: 'main',
        url: url.href,
        maxConnections: 1,
        extensionsSchema: 'extensions',
        applicationName: 'contract',
      });
      const target = { name: 'kept', marker: markerOf('kept') };
      await kept.driver('postgres-schema').create(target, never);
      await database.query(`GRANT ALL ON SCHEMA kept TO ${app}`);
      await run(
        target,
        `SET LOCAL ROLE ${app}; CREATE TABLE t0 (id serial PRIMARY KEY); DO $$ BEGIN FOR i IN 1..100 LOOP
        EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY REFERENCES t0)', i); END LOOP; END $$`,
      );
      expect(await kept.driver('postgres-schema').drop(target, never)).toBe('dropped');
      await kept.close();
    });

    it('still shows whose it is after an interruption, and is finished by the next attempt', { timeout: 60_000 }, async () => {
      const target = await create('halves');
      await run(target, `DO $$ BEGIN FOR i IN 1..400 LOOP EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY)', i); END LOOP; END $$`);
      // Somebody reads the oldest table, which comes last, so the drop stops there.
      const abort = new AbortController();
      const reading = query(database.url, `BEGIN; SELECT * FROM halves.t1; SELECT pg_sleep(8); COMMIT`);
      await expect
        .poll(() => database.query(`SELECT FROM pg_locks WHERE relation = to_regclass('halves.t1')`), { timeout: 7_000 })
        .not.toEqual([]);
      const dropping = driver.drop(target, abort.signal);
      await expect
        .poll(() => database.query(`SELECT FROM pg_locks WHERE relation = to_regclass('halves.t1') AND NOT granted`), { timeout: 7_000 })
        .not.toEqual([]);
      abort.abort(new Error('stop'));
      await expect(dropping).rejects.toThrow('stop');
      await reading;
      expect(await driver.probe(target)).toEqual({ status: 'ours', isEmpty: false });
      expect(await driver.drop(target, never)).toBe('dropped');
    });
  });
});
