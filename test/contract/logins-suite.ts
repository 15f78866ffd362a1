import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterEngine, LoginDriver, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';
import { loginNames } from '../../src/drivers/login-names.js';
import { createPassword } from '../../src/secrets/password.js';
import { markerOf } from './driver-suite.js';

/** What the suite needs to know of an engine to try what its logins may do. */
export interface LoginsUnderTest {
  readonly engine: ClusterEngine;
  readonly driver: TenantDriver;
  /** A physical name that goes away with the fixture. */
  name(suffix: string): string;
  /** As a migration does: makes a table or collection with one row or document that holds the value. */
  put(target: TenantTarget, table: string, value: string): Promise<void>;
  /** Logs in by a URL. */
  open(url: string): Promise<LoggedIn>;
  /** Makes a login of that name behind the driver's back, without our marker. */
  createStranger(target: TenantTarget, name: string): Promise<void>;
  dropStranger(target: TenantTarget, name: string): Promise<void>;
  /** The URL that leads the same login to another's home. */
  redirect(url: string, target: TenantTarget, to: TenantTarget): string;
  close(): Promise<void>;
}

export interface LoggedIn {
  /** All values, sorted; of another's home where one is named. */
  values(table: string, of?: TenantTarget): Promise<readonly string[]>;
  add(table: string, value: string): Promise<unknown>;
  /** Makes a table, or whatever takes the right to make things. Null where the engine's narrowest right to write brings it along. */
  readonly make: (() => Promise<unknown>) | null;
  close(): Promise<void>;
}

const never = new AbortController().signal;

/** What every driver's logins have to be like. */
export function describeLogins(title: string, open: () => Promise<LoginsUnderTest>): void {
  describe(title, () => {
    let under: LoginsUnderTest;
    let driver: TenantDriver;
    let logins: LoginDriver;

    beforeAll(async () => {
      under = await open();
      ({ driver } = under);
      if (!driver.logins) throw new Error('no logins');
      logins = driver.logins;
    });
    afterAll(async () => {
      await under.engine.close();
      await under.close();
    });

    const made: TenantTarget[] = [];
    const opened: LoggedIn[] = [];
    afterEach(async () => {
      for (const session of opened.splice(0)) await session.close().catch(() => undefined);
      for (const home of made.splice(0)) {
        // Of an earlier life: it is gone, and the next has its name.
        if ((await driver.probe(home)).status !== 'other') await driver.drop(home, never);
        await logins.drop(home, never);
      }
    });

    const create = async (suffix: string): Promise<TenantTarget> => {
      const target = { name: under.name(suffix), marker: markerOf(suffix) };
      made.push(target);
      await driver.create(target, never);
      return target;
    };
    const ensure = async (target: TenantTarget, which: 0 | 1 = 0): Promise<{ name: string; password: string; url: string }> => {
      const login = { name: loginNames(target.marker).logins[which], password: createPassword() };
      await logins.ensure(target, login, never);
      return { ...login, url: logins.connectionUrl(target, login) };
    };
    const enter = async (url: string): Promise<LoggedIn> => {
      const session = await under.open(url);
      opened.push(session);
      return session;
    };

    it('make a login that reads and writes what is there and what comes later, and makes nothing', async () => {
      const home = await create('own');
      await under.put(home, 'old_things', 'one');
      const login = await ensure(home);
      await under.put(home, 'new_things', 'two');
      const session = await enter(login.url);
      expect(await session.values('old_things')).toEqual(['one']);
      await session.add('new_things', 'three');
      expect(await session.values('new_things')).toEqual(['three', 'two']);
      if (session.make) await expect(session.make()).rejects.toThrow();
      expect(await logins.list(home)).toEqual([{ name: login.name, isLocked: false }]);
      await logins.check(home, login, never);
    });

    it('are listed with whose they are, and as used while their home stands', async () => {
      const [home, other] = [await create('marked'), await create('stranger')];
      const login = await ensure(home);
      await ensure(home, 1);
      await ensure(other);
      const { registry } = home.marker;
      const listed = (await logins.listMarked(registry)).find(({ marker }) => marker.operation === home.marker.operation);
      expect(listed).toMatchObject({ marker: home.marker, isUnused: false });
      expect(listed?.names).toEqual(expect.arrayContaining([login.name]));
      expect(await logins.listMarked('another')).toEqual([]);
      await driver.drop(home, never);
      const after = (await logins.listMarked(registry)).find(({ marker }) => marker.operation === home.marker.operation);
      // Where they outlive the home, nothing is left for them.
      if (after !== undefined) expect(after.isUnused).toBe(true);
      await logins.drop(home, never);
      const left = await logins.listMarked(registry);
      expect(left.map(({ marker }) => marker.operation)).toEqual(expect.not.arrayContaining([home.marker.operation]));
      expect(left.some(({ marker }) => marker.operation === other.marker.operation)).toBe(true);
    });

    it('keep out of the homes of others, whose names are alike too', async () => {
      const homes = await Promise.all(['a_b', 'aXb', 'a_bc'].map((suffix) => create(suffix.toLowerCase())));
      for (const home of homes) await under.put(home, 'things', home.name);
      const [first, ...others] = homes as [TenantTarget, ...TenantTarget[]];
      const login = await ensure(first);
      for (const other of others) await ensure(other);
      const session = await enter(login.url);
      expect(await session.values('things')).toEqual([first.name]);
      for (const other of others) {
        await expect(session.values('things', other)).rejects.toThrow();
        const astray = await under.open(under.redirect(login.url, first, other)).catch(() => null);
        if (astray) {
          opened.push(astray);
          await expect(astray.values('things', other)).rejects.toThrow();
        }
      }
    });

    it('give a login that is there a new password, and it is the same login', async () => {
      const home = await create('again');
      await under.put(home, 'things', 'one');
      const first = await ensure(home);
      const second = await ensure(home);
      expect(second.name).toBe(first.name);
      await expect(under.open(first.url)).rejects.toThrow();
      expect(await (await enter(second.url)).values('things')).toEqual(['one']);
      await expect(logins.check(home, first, never)).rejects.toMatchObject({ code: 'TENANCY_LOGIN_UNVERIFIED' });
    });

    it('leave alone a login that is not ours', async () => {
      const home = await create('stranger');
      const { logins: names } = loginNames(home.marker);
      await under.createStranger(home, names[0]);
      try {
        await expect(ensure(home)).rejects.toMatchObject({ code: 'TENANCY_LOGIN_TAKEN' });
        expect(await logins.list(home)).toEqual([]);
        expect(await logins.lock(home, null, never)).toEqual([]);
        expect(await logins.drop(home, never)).toEqual([]);
      } finally {
        await under.dropStranger(home, names[0]);
      }
    });

    it('shut a tenant out within a second, sessions that are open too, and let it in again', async () => {
      const home = await create('shut');
      await under.put(home, 'things', 'one');
      const login = await ensure(home);
      const session = await enter(login.url);
      expect(await session.values('things')).toEqual(['one']);
      const started = Date.now();
      expect(await logins.lock(home, null, never)).toEqual([login.name]);
      await driver.cutAccess(home, never);
      await expect(session.values('things')).rejects.toThrow();
      expect(Date.now() - started).toBeLessThan(1_000);
      await expect(under.open(login.url).then((late) => late.values('things'))).rejects.toThrow();
      expect(await logins.list(home)).toEqual([{ name: login.name, isLocked: true }]);
      // Once more is no harm: an attempt may have been killed behind it.
      expect(await logins.lock(home, null, never)).toEqual([login.name]);
      await driver.restoreAccess(home, never);
      await logins.unlock(home, [login.name], never);
      expect(await (await enter(login.url)).values('things')).toEqual(['one']);
    });

    it('are locked and dropped where the home is gone already, or has another name for a while', async () => {
      const home = await create('gone');
      const login = await ensure(home);
      await driver.drop(home, never);
      expect([[], [login.name]]).toContainEqual(await logins.lock(home, null, never));
      await logins.drop(home, never);
      expect(await logins.list(home)).toEqual([]);
      await expect(under.open(login.url).then((late) => late.values('things'))).rejects.toThrow();
    });

    it('take turns: both are good until one is locked', async () => {
      const home = await create('turns');
      await under.put(home, 'things', 'one');
      const [first, second] = [await ensure(home, 0), await ensure(home, 1)];
      for (const { url } of [first, second]) expect(await (await enter(url)).values('things')).toEqual(['one']);
      expect(await logins.lock(home, [first.name], never)).toEqual([first.name]);
      await expect(under.open(first.url).then((late) => late.values('things'))).rejects.toThrow();
      expect(await (await enter(second.url)).values('things')).toEqual(['one']);
      expect(await logins.list(home)).toEqual([
        { name: first.name, isLocked: true },
        { name: second.name, isLocked: false },
      ]);
    });

    it("don't open the next home of that name to the last one's credential", async () => {
      const home = await create('next');
      const login = await ensure(home);
      await driver.drop(home, never);
      await logins.drop(home, never);
      expect(await logins.drop(home, never)).toEqual([]);
      expect(await logins.list(home)).toEqual([]);
      const next = await create('next');
      await under.put(next, 'things', 'of the next');
      await ensure(next);
      await expect(under.open(login.url).then((late) => late.values('things'))).rejects.toThrow();
    });

    it('give no rights on a home that has become another life of the tenant', async () => {
      const home = await create('zombie');
      await driver.drop(home, never);
      const next = await create('zombie');
      await under.put(next, 'things', 'of the next');
      const login = { name: loginNames(home.marker).logins[0], password: createPassword() };
      await expect(logins.ensure(home, login, never)).rejects.toMatchObject({ code: 'TENANCY_HOME_NOT_OURS' });
      expect(await logins.list(home)).toEqual([]);
    });
  });
}
