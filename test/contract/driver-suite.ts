import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterEngine, Marker, SessionOptions, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';

/** What the suite needs to know of a driver under test, besides the contract. */
export interface DriverUnderTest {
  readonly engine: ClusterEngine;
  readonly driver: TenantDriver;
  /** A physical name that goes away with the fixture. */
  name(suffix: string): string;
  /** Makes a home behind the driver's back, without a marker. */
  createUnmarked(name: string): Promise<void>;
  /** How many connections this engine holds, as the server counts. */
  countConnections(): Promise<number>;
  maxConnections: number;
  /** A statement in the tenant's home that takes so many seconds. */
  sleepSql(seconds: number): string;
  close(): Promise<void>;
}

const never = new AbortController().signal;

export function markerOf(tenant: string, operation: string = randomBytes(8).toString('hex')): Marker {
  return { tenant, registry: 'registry-1', operation };
}

export function sessionOptions(signal: AbortSignal = new AbortController().signal): SessionOptions {
  return { fence: 1, runId: 'run-1', lockTimeoutMs: 5_000, statementTimeoutMs: null, signal };
}

/** The conformance suite: a driver that passes it may be entered into the table. */
export function describeDriver(title: string, open: () => Promise<DriverUnderTest>): void {
  describe(title, () => {
    let under: DriverUnderTest;
    let driver: TenantDriver;

    beforeAll(async () => {
      under = await open();
      ({ driver } = under);
    });

    afterAll(async () => {
      await under.engine.close();
      expect(await under.countConnections()).toBe(0);
      await under.close();
    });

    const target = (suffix: string, marker: Marker = markerOf(suffix)): TenantTarget => ({ name: under.name(suffix), marker });
    const queryIn = <Row>(home: TenantTarget, sql: string, params?: readonly unknown[]): Promise<Row[]> =>
      driver.withSession(home, sessionOptions(), async ({ db }) => (await db.query<Row>(sql, params)).rows);

    const made: TenantTarget[] = [];
    const create = async (suffix: string): Promise<TenantTarget> => {
      const home = target(suffix);
      made.push(home);
      await driver.create(home, never);
      return home;
    };
    afterEach(async () => {
      for (const home of made.splice(0)) await driver.drop(home, never);
    });

    describe('create and drop', () => {
      it('finds nothing where nothing is', async () => {
        const home = target('absent');
        expect(await driver.probe(home)).toEqual({ status: 'absent' });
        expect(await driver.planDrop(home)).toEqual([]);
        expect(await driver.drop(home, never)).toBe('absent');
      });

      it('creates once, and adopts its own work the second time', async () => {
        const home = target('twice');
        expect(await driver.create(home, never)).toBe('created');
        expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
        expect(await driver.create(home, never)).toBe('adopted');
        expect(await driver.drop(home, never)).toBe('dropped');
        expect(await driver.drop(home, never)).toBe('absent');
        expect(await driver.probe(home)).toEqual({ status: 'absent' });
      });

      it('leaves alone what belongs to another tenant, registry or operation', async () => {
        const home = await create('taken');
        const { marker } = home;
        for (const other of [{ tenant: 'somebody' }, { registry: 'registry-2' }, { operation: 'a-later-one' }]) {
          const stranger = { ...home, marker: { ...marker, ...other } };
          expect(await driver.probe(stranger)).toEqual({ status: 'other', marker });
          await expect(driver.create(stranger, never)).rejects.toMatchObject({ code: 'TENANCY_NAME_TAKEN' });
          await expect(driver.drop(stranger, never)).rejects.toMatchObject({ code: 'TENANCY_DROP_REFUSED' });
          await expect(driver.mark(stranger)).rejects.toMatchObject({ code: 'TENANCY_NAME_TAKEN' });
          expect(await driver.planDrop(stranger)).toHaveLength(1);
        }
        expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
      });

      it('leaves alone what nobody marked, until it is marked', async () => {
        const home = target('unmarked');
        await under.createUnmarked(home.name);
        expect(await driver.probe(home)).toEqual({ status: 'unmarked', isEmpty: true });
        await expect(driver.create(home, never)).rejects.toMatchObject({ code: 'TENANCY_NAME_TAKEN' });
        await expect(driver.drop(home, never)).rejects.toMatchObject({ code: 'TENANCY_DROP_REFUSED' });
        await driver.mark(home);
        await driver.mark(home);
        expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
        expect(await driver.drop(home, never)).toBe('dropped');
      });

      it('makes one home where eight race for it', async () => {
        const home = target('race');
        made.push(home);
        const answers = await Promise.all(Array.from({ length: 8 }, () => driver.create(home, never)));
        expect(answers).toContain('created');
        expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
      });

      it('drops once where four race for it', async () => {
        const home = await create('race_drop');
        await queryIn(home, 'CREATE TABLE a (id int)');
        const answers = await Promise.all(Array.from({ length: 4 }, () => driver.drop(home, never)));
        expect(answers).toContain('dropped');
        expect(await driver.probe(home)).toEqual({ status: 'absent' });
      });

      it.each(['a-b', 'a.b', 'été', '日本', 'ends-'])('bears %s in a name', async (suffix) => {
        const home = await create(suffix);
        await queryIn(home, 'CREATE TABLE t (id int)');
        expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: false });
      });
    });

    describe('list', () => {
      it('pages through homes in the order of their names, with their markers', async () => {
        const homes = [await create('l_b'), await create('l_a'), await create('l_c')];
        const first = await driver.list({ after: under.name('l_'), limit: 2 });
        expect(first).toEqual([
          { name: under.name('l_a'), marker: homes[1]?.marker },
          { name: under.name('l_b'), marker: homes[0]?.marker },
        ]);
        const second = await driver.list({ after: under.name('l_b'), limit: 1 });
        expect(second).toEqual([{ name: under.name('l_c'), marker: homes[2]?.marker }]);
      });
    });

    describe('withSession', () => {
      it('shows each tenant its own home only', async () => {
        const [a, b] = [await create('iso_a'), await create('iso_b')];
        await queryIn(a, `CREATE TABLE who (name text); INSERT INTO who VALUES ('a')`);
        await queryIn(b, `CREATE TABLE who (name text); INSERT INTO who VALUES ('b')`);
        expect(await queryIn(a, 'SELECT name FROM who')).toEqual([{ name: 'a' }]);
        expect(await queryIn(b, 'SELECT name FROM who WHERE name = $1', ['b'])).toEqual([{ name: 'b' }]);
      });

      it('undoes a query that fails half way, and goes on', async () => {
        const home = await create('undo');
        await driver.withSession(home, sessionOptions(), async ({ db }) => {
          await db.query('CREATE TABLE t (id int)');
          await expect(db.query('INSERT INTO t VALUES (1); SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
          await expect(db.query('INSERT INTO t SELECT 1 / $1::int', [0])).rejects.toMatchObject({ code: '22012' });
          expect((await db.query('SELECT id FROM t')).rows).toEqual([]);
        });
      });

      it('hands a connection on without what the last tenant set', async () => {
        const [a, b] = [await create('clean_a'), await create('clean_b')];
        await queryIn(a, `SET statement_timeout = '1234ms'; CREATE TEMP TABLE leftover (id int); SELECT pg_advisory_lock(7)`);
        const [row] = await queryIn<{ timeout: string; leftover: string | null }>(
          b,
          `SELECT current_setting('statement_timeout') AS timeout, to_regclass('pg_temp.leftover') AS leftover`,
        );
        expect(row).toEqual({ timeout: '0', leftover: null });
        expect(
          await queryIn(
            b,
            `SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
          ),
        ).toEqual([]);
      });

      it('cancels on abort, and frees the place', async () => {
        const home = await create('abort');
        const abort = new AbortController();
        const reason = new Error('enough');
        let isReady: () => void = () => {};
        const ready = new Promise<void>((resolve) => {
          isReady = resolve;
        });
        const running = driver.withSession(home, sessionOptions(abort.signal), async ({ db }) => {
          await db.query('SELECT 1');
          isReady();
          await db.query(under.sleepSql(30));
        });
        await ready;
        abort.abort(reason);
        await expect(running).rejects.toBe(reason);
        expect(
          await queryIn(
            home,
            `SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid()`,
          ),
        ).toEqual([]);
      });

      it('gives up waiting for a place on abort', async () => {
        const home = await create('queue');
        let release: () => void = () => {};
        const gate = new Promise<void>((resolve) => {
          release = resolve;
        });
        const holders = Array.from({ length: under.maxConnections }, () => driver.withSession(home, sessionOptions(), () => gate));
        const abort = new AbortController();
        const late = driver.withSession(home, sessionOptions(abort.signal), async () => {});
        abort.abort(new Error('no time'));
        await expect(late).rejects.toThrow('no time');
        release();
        await Promise.all(holders);
      });

      it('never holds more connections than its budget, over all homes', async () => {
        const homes = [await create('cap_a'), await create('cap_b'), await create('cap_c'), await create('cap_d')];
        let isDone = false;
        let most = 0;
        const sampler = (async () => {
          while (!isDone) most = Math.max(most, await under.countConnections());
        })();
        await Promise.all(
          Array.from({ length: 40 }, async (_, index) => {
            const home = homes[index % homes.length];
            if (home !== undefined) await queryIn(home, under.sleepSql(0.01));
          }),
        );
        isDone = true;
        await sampler;
        expect(most).toBeGreaterThan(0);
        expect(most).toBeLessThanOrEqual(under.maxConnections);
      });
    });
  });
}
