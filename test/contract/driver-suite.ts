import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type {
  ClusterEngine,
  Marker,
  SessionOptions,
  StructureItem,
  TenantDriver,
  TenantSession,
  TenantTarget,
} from '../../src/drivers/driver.js';

import { describeBackups } from './driver-suite-backups.js';
import { describeRetention } from './driver-suite-retention.js';

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
  /** Endings of names that the engine bears. */
  readonly nameEndings: readonly string[];
  readonly words: HomeWords;
  close(): Promise<void>;
}

/** What the suite does inside of a home, in the engine's own language. */
export interface HomeWords {
  /** Makes a table or collection with one row or document that holds the value. */
  put(home: Home, table: string, value: string): Promise<void>;
  /** All values of the table, sorted. */
  values(home: Home, table: string): Promise<readonly string[]>;
  sleep(home: Home, seconds: number): Promise<void>;
  /** How many of those sleeps the server is still at. */
  countSleeping(home: Home, seconds: number): Promise<number>;
  /** Leaves in the session whatever the engine lets a session keep: settings, temporary tables, locks. */
  litter(home: Home): Promise<void>;
  /** What of that is still to be seen, from a session that may have inherited it. */
  findLitter(home: Home): Promise<readonly string[]>;
  /** Writes the value into an existing table and fails in the same call; null where the engine can't undo a call (no transactional session). */
  readonly failHalfWay: ((home: Home, table: string, value: string) => Promise<unknown>) | null;
}

/** A session, and the target it was opened for: what an engine needs to reach the tenant. */
export interface Home {
  readonly session: TenantSession;
  readonly target: TenantTarget;
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
    const within = <T>(home: TenantTarget, use: (home: Home) => Promise<T>): Promise<T> =>
      driver.withSession(home, sessionOptions(), (session) => use({ session, target: home }));

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
        await within(home, (inside) => under.words.put(inside, 'a', 'x'));
        const answers = await Promise.all(Array.from({ length: 4 }, () => driver.drop(home, never)));
        expect(answers).toContain('dropped');
        expect(await driver.probe(home)).toEqual({ status: 'absent' });
      });

      it('bears odd names', async () => {
        for (const suffix of under.nameEndings) {
          const home = await create(suffix);
          await within(home, (inside) => under.words.put(inside, 't', 'x'));
          expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: false });
        }
      });
    });

    describeRetention(() => ({ under, create, within, target, forget: () => void made.splice(0) }));

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

    describe('inspect', () => {
      const structureOf = async (home: TenantTarget): Promise<readonly StructureItem[]> => {
        const { structure, nameInText } = await driver.inspect(home, { structure: true }, never);
        return (structure ?? []).map((item) => ({ ...item, definition: item.definition.replaceAll(nameInText, '*') }));
      };

      it('tells of two homes with the same in them the same, whatever they are called', async () => {
        const [one, other] = [await create('same_a'), await create('same-b')];
        for (const home of [one, other]) await within(home, (inside) => under.words.put(inside, 'things', home.name));
        expect(await structureOf(one)).toEqual(await structureOf(other));
        expect((await structureOf(one)).filter(({ name, of }) => name === 'things' && of === null)).toHaveLength(1);
        const { invalidIndexes, rights, lacking } = await driver.inspect(one, { structure: false }, never);
        expect([invalidIndexes, lacking, rights.filter(({ grantee }) => grantee !== null)]).toEqual([[], [], []]);
      });

      it('tells nothing of what we keep in a home ourselves, and makes nothing there', async () => {
        const home = await create('bare');
        const before = await structureOf(home);
        await within(home, ({ session }) => session.recordApplied([{ name: '0001_a', checksum: 'a'.repeat(64) }]));
        expect(await structureOf(home)).toEqual(before);
        expect(before.filter(({ name }) => name.startsWith('_tenancy'))).toEqual([]);
        expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
      });

      it('names what is there in one home and not in the other', async () => {
        const [one, other] = [await create('less'), await create('more')];
        for (const home of [one, other]) await within(home, (inside) => under.words.put(inside, 'things', 'a'));
        await within(other, (inside) => under.words.put(inside, 'others', 'b'));
        const known = new Set((await structureOf(one)).map((item) => JSON.stringify(item)));
        const more = (await structureOf(other)).filter((item) => !known.has(JSON.stringify(item)));
        expect(more.length).toBeGreaterThan(0);
        for (const { name, of } of more) expect(`${of ?? ''} ${name}`).toContain('others');
      });
    });

    describe('withSession', () => {
      it('shows each tenant its own home only', async () => {
        const [a, b] = [await create('iso_a'), await create('iso_b')];
        await within(a, (inside) => under.words.put(inside, 'who', 'a'));
        await within(b, (inside) => under.words.put(inside, 'who', 'b'));
        expect(await within(a, (inside) => under.words.values(inside, 'who'))).toEqual(['a']);
        expect(await within(b, (inside) => under.words.values(inside, 'who'))).toEqual(['b']);
      });

      it('goes on after a call that failed, and has undone it where the engine can', async () => {
        const home = await create('undo');
        await within(home, async (inside) => {
          await under.words.put(inside, 't', 'before');
          const { failHalfWay } = under.words;
          if (failHalfWay !== null) await expect(failHalfWay(inside, 't', 'half')).rejects.toThrow();
          expect(await under.words.values(inside, 't')).toEqual(
            driver.capabilities.supportsTransactionalDdl || failHalfWay === null ? ['before'] : ['before', 'half'],
          );
        });
      });

      it('hands a connection on without what the last tenant set', async () => {
        const [a, b] = [await create('clean_a'), await create('clean_b')];
        await within(a, (inside) => under.words.litter(inside));
        expect(await within(b, (inside) => under.words.findLitter(inside))).toEqual([]);
      });

      it('cancels on abort, and frees the place', async () => {
        const home = await create('abort');
        const abort = new AbortController();
        const reason = new Error('enough');
        let isReady: () => void = () => {};
        const ready = new Promise<void>((resolve) => {
          isReady = resolve;
        });
        const running = driver.withSession(home, sessionOptions(abort.signal), async (session) => {
          await under.words.put({ session, target: home }, 'before', 'x');
          isReady();
          await under.words.sleep({ session, target: home }, 30);
        });
        await ready;
        abort.abort(reason);
        await expect(running).rejects.toBe(reason);
        expect(await within(home, (inside) => under.words.countSleeping(inside, 30))).toBe(0);
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
            if (home !== undefined) await within(home, (inside) => under.words.sleep(inside, 0.01));
          }),
        );
        isDone = true;
        await sampler;
        expect(most).toBeGreaterThan(0);
        expect(most).toBeLessThanOrEqual(under.maxConnections);
      });
    });

    describeBackups(() => ({ driver, words: under.words, create, within }));
  });
}
