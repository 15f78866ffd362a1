import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PoolConfig, TenancyConfig } from '../../src/config/types.js';
import { createTenancy } from '../../src/create-tenancy.js';
import type { StampedRunEvent } from '../../src/events.js';
import { openRegistry } from '../../src/registry/index.js';
import type { Tenancy } from '../../src/tenancy.js';
import { checkInvariants } from '../rig/invariants.js';
import { createTestDatabase, query, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { dropPreparedHomes } from '../rig/prepared-homes.js';

const migrations: Readonly<Record<string, string>> = {
  '0001_accounts.sql': 'CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz DEFAULT now());',
  '0002_orders.sql':
    'CREATE TABLE orders (id bigint PRIMARY KEY, account bigint REFERENCES accounts); CREATE VIEW v AS SELECT * FROM orders;',
  '0003_rows.sql': "CREATE TABLE counts (name text); INSERT INTO counts VALUES ('0001_accounts'), ('0002_orders'), ('0003_rows');",
};

describe.each(['postgres-database', 'postgres-schema'] as const)('the warm pool of %s', { timeout: 60_000 }, (driver) => {
  let database: TestDatabase;
  let directory: string;
  let events: StampedRunEvent[];
  const opened: Tenancy[] = [];

  beforeEach(async () => {
    [database, directory] = await Promise.all([createTestDatabase(), mkdtemp(path.join(tmpdir(), 'tenancy-'))]);
    events = [];
    const registry = await openRegistry({ url: database.url, create: true, applicationName: 'test' });
    await registry.close();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((tenancy) => tenancy.close()));
    await dropPreparedHomes(database.url);
    await Promise.all([database.drop(), rm(directory, { recursive: true })]);
  });

  async function open(files = migrations, size = 3, config: Partial<TenancyConfig> = {}): Promise<Tenancy> {
    const { url, name } = database;
    const pool: PoolConfig = { driver, size };
    const folder = await mkdtemp(path.join(directory, 'migrations-'));
    for (const [file, text] of Object.entries(files)) await writeFile(path.join(folder, file), text);
    const tenancy = await createTenancy(
      {
        registry: { url },
        clusters: { main: { url, concurrency: 3, pool } },
        placement: ({ id }) => ({ cluster: 'main', driver, name: `${name}_${id}` }),
        migrations: { directory: folder },
        ...config,
      },
      { root: directory, onEvent: (event) => void events.push(event) },
    );
    opened.push(tenancy);
    return tenancy;
  }

  const howMade = (): Record<string, string | undefined> =>
    Object.fromEntries(
      events.flatMap((event) => (event.type === 'step.finished' && event.step === 'create' ? [[event.tenant, event.detail]] : [])),
    );
  const countRows = async (id: string): Promise<number> => {
    const home = `${database.name}_${id}`;
    const isSchema = driver === 'postgres-schema';
    const table = `${isSchema ? `"${home}"` : 'public'}.counts`;
    const rows = await query(isSchema ? database.url : withDatabase(database.url, home), `SELECT FROM ${table}`);
    return rows.length;
  };
  const entries = (): Promise<{ id: string; name: string; status: string }[]> =>
    query(database.url, 'SELECT id, name, status FROM tenancy.prepared_homes ORDER BY sequence');
  /** At the end of a test: nobody of ours is connected then. */
  const check = async (): Promise<void> => {
    await Promise.all(opened.splice(0).map((tenancy) => tenancy.close()));
    await checkInvariants({ adminUrl: database.url, registryUrl: database.url });
  };
  const dropHome = (name: string): Promise<unknown> =>
    query(database.url, driver === 'postgres-schema' ? `DROP SCHEMA "${name}" CASCADE` : `DROP DATABASE "${name}" WITH (FORCE)`);

  it('is filled, gives each new tenant a home of its own, and makes one in the ordinary way when it is empty', async () => {
    const tenancy = await open();
    expect(await tenancy.readPool()).toMatchObject([{ cluster: 'main', driver, size: 3, ready: 0, broken: [] }]);
    expect(await tenancy.fillPool()).toMatchObject([{ ready: 3, made: 3, mended: 0, dropped: 0, failed: [], stale: 0 }]);
    expect(await tenancy.fillPool()).toMatchObject([{ ready: 3, made: 0, mended: 0, dropped: 0, failed: [] }]);
    expect(await tenancy.count({})).toBe(0);
    expect(await tenancy.provision(['a', 'b', 'c', 'd'])).toMatchObject({ exitCode: 0, counts: { applied: 4 } });
    const ways = Object.values(howMade()).sort();
    expect(ways).toEqual(['created', 'from the pool', 'from the pool', 'from the pool']);
    for (const id of ['a', 'b', 'c', 'd']) expect(await countRows(id)).toBe(3);
    expect(await entries()).toEqual([]);
    expect(await tenancy.migrate({ all: true }, { forceVerify: true })).toMatchObject({ exitCode: 0, counts: { 'up-to-date': 4 } });
    expect(await tenancy.deprovision('a', { confirm: 'a', skipBackup: true })).toMatchObject({ exitCode: 0 });
    expect(await tenancy.provision('a')).toMatchObject({ exitCode: 0 });
    await check();
  });

  it('never gives one home to two of many that are provisioned at once by several processes', async () => {
    const all = [await open(migrations, 6), await open(migrations, 6), await open(migrations, 6)];
    await Promise.all(all.map((tenancy) => tenancy.fillPool()));
    expect((await entries()).length).toBe(6);
    const reports = await Promise.all(
      all.map((tenancy, index) => tenancy.provision(Array.from({ length: 4 }, (_, nth) => `t${index}-${nth}`))),
    );
    expect(reports.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(Object.values(howMade()).filter((how) => how === 'from the pool')).toHaveLength(6);
    expect(await entries()).toEqual([]);
    await check();
  });

  it('holds homes for older migrations, which are brought up to date when a tenant gets one, or by the next fill', async () => {
    await (await open({ '0001_accounts.sql': migrations['0001_accounts.sql'] ?? '' }, 2)).fillPool();
    const newer = await open(migrations, 2);
    expect(await newer.readPool()).toMatchObject([{ ready: 2, stale: 2, broken: [] }]);
    expect(await newer.provision('a')).toMatchObject({ exitCode: 0 });
    expect(howMade()).toEqual({ a: 'from the pool' });
    expect(await newer.fillPool()).toMatchObject([{ ready: 2, stale: 0, mended: 1, made: 1, dropped: 0, failed: [] }]);
    await newer.provision(['b', 'c']);
    expect(Object.values(howMade())).toEqual(['from the pool', 'from the pool', 'from the pool']);
    await check();
  });

  it('gives nobody a home of migrations that are no more, and drops it when it is filled', async () => {
    await (await open({ '0001_accounts.sql': 'CREATE TABLE edited (id int);' }, 1)).fillPool();
    const tenancy = await open(migrations, 1);
    expect(await tenancy.provision('a')).toMatchObject({ exitCode: 0 });
    expect(howMade()).toEqual({ a: 'created' });
    expect(await tenancy.fillPool()).toMatchObject([{ ready: 1, stale: 0, made: 1, dropped: 1, failed: [] }]);
    await check();
  });

  it('names what was left half done, and mends it', async () => {
    const tenancy = await open(migrations, 4);
    await tenancy.fillPool();
    const [half, missing, claimed, stray] = await entries();
    await query(database.url, `UPDATE tenancy.prepared_homes SET status = 'making', alive_until = clock_timestamp() WHERE id = $1`, [
      half?.id,
    ]);
    await dropHome(missing?.name ?? '');
    await query(database.url, `UPDATE tenancy.prepared_homes SET status = 'claimed', tenant = 'gone', operation_id = 'x' WHERE id = $1`, [
      claimed?.id,
    ]);
    await query(database.url, 'DELETE FROM tenancy.prepared_homes WHERE id = $1', [stray?.id]);
    const [state] = await tenancy.readPool();
    expect(state).toMatchObject({ ready: 0, claimed: 0 });
    expect(state?.broken).toEqual([
      { id: half?.id, name: half?.name, problem: 'half made' },
      { id: missing?.id, name: missing?.name, problem: 'missing' },
      { id: claimed?.id, name: claimed?.name, problem: "claimed for gone, which doesn't want it any more" },
      { id: null, name: stray?.name, problem: 'not in the registry' },
    ]);
    expect(await tenancy.fillPool()).toMatchObject([{ ready: 4, broken: [], made: 3, mended: 1, dropped: 3, failed: [] }]);
    await check();
  });

  it('passes over a home that somebody has dropped, and goes on with one that it was half way of giving away', async () => {
    const tenancy = await open(migrations, 2);
    await tenancy.fillPool();
    const [first] = await entries();
    await dropHome(first?.name ?? '');
    const broken = await open(migrations, 2, {
      hooks: {
        afterCreate: () => Promise.reject(new Error('not yet')),
      },
    });
    expect(await broken.provision('a')).toMatchObject({ exitCode: 1 });
    expect(howMade()).toEqual({});
    expect(await entries()).toEqual([]);
    await tenancy.fillPool({ count: 1 });
    // What the tenant has is its own already: the other stays for others.
    expect(await tenancy.provision('a')).toMatchObject({ exitCode: 0 });
    expect(howMade()).toEqual({ a: 'adopted' });
    expect(await tenancy.readPool()).toMatchObject([{ ready: 1, claimed: 0, broken: [] }]);
    await check();
  });

  it('tells of a home that could not be made, keeps to the count asked for, and refuses a config without a pool', async () => {
    const wrong = await open({ '0001_wrong.sql': 'CREATE TABLE wrong (id nonsense);' }, 1);
    const [filled] = await wrong.fillPool();
    expect(filled).toMatchObject({ ready: 0, made: 0, failed: [{ code: 'TENANCY_MIGRATION_FAILED' }] });
    const tenancy = await open(migrations, 5);
    await query(database.url, 'UPDATE tenancy.prepared_homes SET alive_until = clock_timestamp()');
    expect(await tenancy.fillPool({ count: 2 })).toMatchObject([{ ready: 2, size: 5, made: 1, mended: 1 }]);
    const { url } = database;
    const none = await open(migrations, 1, { clusters: { main: { url } } });
    await expect(none.fillPool()).rejects.toMatchObject({ code: 'TENANCY_POOL_NOT_CONFIGURED', exitCode: 2 });
    await expect(tenancy.readPool({ cluster: 'other' })).rejects.toThrow('cluster other has no warm pool');
  });
});
