import { describe, expect, it } from 'vitest';
import type { LoginDriver, Presence, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';
import { loginNames } from '../../src/drivers/login-names.js';
import { createMongodbProxy } from '../rig/mongodb-proxy.js';
import { markerOf } from './driver-suite.js';
import { never, useMongoHomes } from './mongodb-rig.js';

const homes = useMongoHomes();

/** What the server carries out whoever the database is of by then: nothing in it says for which home it is meant. */
const BLIND =
  /^(createUser|updateUser|dropUser|dropAllUsersFromDatabase|dropAllRolesFromDatabase|grantRolesToUser|revokeRolesFromUser|killAllSessions|drop|dropDatabase)$/;

type Work = (driver: TenantDriver, target: TenantTarget) => Promise<unknown>;

interface Woken {
  readonly isStopped: boolean;
  /** The blind commands that it sent when it woke up, with the one that was on the way. */
  readonly sent: readonly string[];
}

/** Stands still when the command of that number is on the way, until all is done that is to be done meanwhile. */
async function standStill(at: number, work: (driver: TenantDriver) => Promise<unknown>, meanwhile: () => Promise<void>): Promise<Woken> {
  let asleep: Promise<void> | null = null;
  const sent: string[] = [];
  const proxy = await createMongodbProxy(homes.mongo.url, {
    onCommand: async ({ number, name, phase }): Promise<'forward'> => {
      if (number === at && phase === 'before') asleep = meanwhile();
      if (asleep === null) return 'forward';
      if (phase === 'before' && BLIND.test(name)) sent.push(name);
      await asleep;
      return 'forward';
    },
  });
  const engine = await homes.open(proxy.url);
  try {
    // It may be refused, or find it done: what counts is what it changes.
    await work(engine.driver('mongodb-database')).catch(() => undefined);
    return { isStopped: asleep !== null, sent };
  } finally {
    await engine.close();
    await proxy.close();
  }
}

const outsiderOf = ({ name }: TenantTarget): string => `${name}_outsider`;
const loginOf = ({ marker }: TenantTarget): string => loginNames(marker).logins[0];

async function create(target: TenantTarget): Promise<TenantTarget> {
  await homes.driver.create(target, never);
  await furnish(target);
  return target;
}

/** Each life of it has the same names, as an application makes them, and a login of its own. */
async function furnish(target: TenantTarget): Promise<void> {
  const of = target.marker.operation;
  for (const collection of ['a', 'b']) await homes.db(target).collection(collection).insertOne({ of });
  for (const user of ['app', 'report']) {
    await homes.db(target).command({ createUser: user, pwd: 'x', roles: ['read', 'readWrite'], customData: { of } });
  }
  await homes.root.db('admin').command({ grantRolesToUser: outsiderOf(target), roles: [{ role: 'read', db: target.name }] });
  await homes.driver.logins?.ensure(target, { name: loginOf(target), password: 'x' }, never);
}

/** All that there is to be taken from it, or given to somebody. */
async function look(target: TenantTarget): Promise<string> {
  const documents = await Promise.all(['a', 'b', '_tenancy'].map((name) => homes.db(target).collection(name).find().toArray()));
  const { users: strangers } = await homes.root.db('admin').command({ usersInfo: outsiderOf(target) });
  const { users } = await homes.db(target).command({ usersInfo: 1 });
  return JSON.stringify({ documents, strangers, users });
}

interface Zombie extends Woken {
  readonly at: number;
  readonly hasChanged: boolean;
  /** Of the home that it finds. */
  readonly status: Presence['status'];
}

/** Stands still at one command after the other, until one attempt gets through before. `meanwhile` resolves to the home that is there when it wakes up. */
async function tryEach(
  begin: (target: TenantTarget) => Promise<unknown>,
  work: Work,
  meanwhile: (target: TenantTarget) => Promise<TenantTarget>,
): Promise<readonly Zombie[]> {
  const zombies: Zombie[] = [];
  for (let at = 1; ; at++) {
    const target = homes.target();
    await homes.root.db('admin').command({ createUser: outsiderOf(target), pwd: 'x', roles: [] });
    await create(target);
    await begin(target);
    let before = '';
    let later = target;
    const woken = await standStill(
      at,
      (driver) => work(driver, target),
      async () => {
        later = await meanwhile(target);
        before = await look(later);
      },
    );
    if (woken.isStopped) {
      const { status } = await homes.driver.probe(later);
      zombies.push({ at, ...woken, hasChanged: (await look(target)) !== before, status });
    }
    await homes.db(target).dropDatabase();
    await homes.db(target).command({ dropAllUsersFromDatabase: 1 });
    await homes.root.db('admin').command({ dropUser: outsiderOf(target) });
    if (!woken.isStopped) return zombies;
  }
}

/** Another finishes what was begun, and the name is given to the next. */
async function nextLife(target: TenantTarget): Promise<TenantTarget> {
  await homes.driver.drop(target, never);
  await homes.driver.sweepLeft?.(target, never);
  return create({ ...target, marker: markerOf('acme') });
}

/** Another retains it as well, and somebody has it back. */
async function undelete(target: TenantTarget): Promise<TenantTarget> {
  await homes.driver.retain(target, 'op-1', never);
  await homes.driver.unretain(target, { operation: 'op-1', isOver: true }, never);
  await homes.driver.restoreAccess(target, never);
  return target;
}

const nothing = async (): Promise<void> => undefined;
const logins = ({ logins: of }: TenantDriver): LoginDriver => of as LoginDriver;

describe('a process that stood still at any of its commands, and wakes up in the next life of the name,', { timeout: 120_000 }, () => {
  const dropByHand = (target: TenantTarget): Promise<unknown> => homes.db(target).dropDatabase();
  const cut = (target: TenantTarget): Promise<unknown> => homes.driver.cutAccess(target, never);

  it.each<[string, (target: TenantTarget) => Promise<unknown>, Work]>([
    ['drop', nothing, (driver, target) => driver.drop(target, never)],
    ['sweepLeft', dropByHand, async (driver, target) => driver.sweepLeft?.(target, never)],
    ['cutAccess', nothing, (driver, target) => driver.cutAccess(target, never)],
    ['restoreAccess', cut, (driver, target) => driver.restoreAccess(target, never)],
    ['retain', nothing, (driver, target) => driver.retain(target, 'op-1', never)],
  ])('sends one more command of a %s that reaches it at the most', async (_, begin, work) => {
    const zombies = await tryEach(begin, work, nextLife);
    expect(zombies.length).toBeGreaterThanOrEqual(5);
    expect(zombies.filter(({ sent }) => sent.length > 1)).toEqual([]);
    expect(zombies.filter(({ sent, hasChanged }) => sent.length === 0 && hasChanged)).toEqual([]);
  });

  it.each<[string, Work]>([
    ['ensure', (driver, target) => logins(driver).ensure(target, { name: loginOf(target), password: 'y' }, never)],
    ['grant', (driver, target) => logins(driver).grant(target, never)],
    ['lock', (driver, target) => logins(driver).lock(target, null, never)],
    ['unlock', (driver, target) => logins(driver).unlock(target, [loginOf(target)], never)],
    ['drop', (driver, target) => logins(driver).drop(target, never)],
  ])('has changed nothing of it by a logins.%s, whose names are of its own life', async (_, work) => {
    const zombies = await tryEach(nothing, work, nextLife);
    expect(zombies.length).toBeGreaterThanOrEqual(3);
    expect(zombies.filter(({ hasChanged }) => hasChanged)).toEqual([]);
  });
});

describe('a process that stood still at any command of a retain, and wakes up when the tenant has been undeleted,', {
  timeout: 120_000,
}, () => {
  it('leaves it open, and sends one more command that reaches it at the most', async () => {
    const zombies = await tryEach(nothing, (driver, target) => driver.retain(target, 'op-1', never), undelete);
    expect(zombies.length).toBeGreaterThanOrEqual(5);
    expect(zombies.filter(({ status }) => status !== 'ours')).toEqual([]);
    expect(zombies.filter(({ sent }) => sent.length > 1)).toEqual([]);
    expect(zombies.filter(({ sent, hasChanged }) => sent.length === 0 && hasChanged)).toEqual([]);
  });
});
