import { type Db, MongoClient } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import type { TenantTarget } from '../../src/drivers/driver.js';
import { mongoUrl } from '../rig/mongodb.js';
import { createMongodbProxy } from '../rig/mongodb-proxy.js';
import { codeOf } from '../rig/mongodb-scene.js';
import { markerOf } from './driver-suite.js';
import { blindly, countedInMongo, never, useMongoHomes } from './mongodb-rig.js';

const homes = useMongoHomes();
const clients: MongoClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

const password = 'correct-horse';

async function createUser(database: string, user: string, roles: readonly (string | { role: string; db: string })[]): Promise<void> {
  await homes.root.db(database).command({ createUser: user, pwd: password, roles });
}

/** As an application connects with a user of that database. */
function connectAs(database: string, user: string, to = database): Db {
  const client = new MongoClient(mongoUrl(homes.mongo.url, database, { user, password }), { serverSelectionTimeoutMS: 5_000 });
  clients.push(client);
  return client.db(to);
}

async function usersOf(database: string): Promise<{ user: string; roles: { role: string; db: string }[] }[]> {
  return (await homes.root.db(database).command({ usersInfo: 1 }))['users'];
}

async function namesOnServer(): Promise<string[]> {
  const { databases } = await homes.root.db('admin').admin().listDatabases({ nameOnly: true });
  return databases.map(({ name }) => name);
}

describe('a MongoDB database', () => {
  it('is there with its marker as its first document, in a collection of ours', async () => {
    const target = await homes.create();
    expect(await homes.home(target)).toMatchObject({ _id: 'home', ...target.marker, status: 'ready', fence: 0 });
    expect(await homes.db(target).listCollections({}, { nameOnly: true }).toArray()).toMatchObject([{ name: '_tenancy' }]);
  });

  it('is not made where one differs in case only', async () => {
    const target = await homes.create();
    const shouted = { ...homes.target(), name: target.name.toUpperCase() };
    await expect(homes.driver.create(shouted, never)).rejects.toMatchObject({
      code: 'TENANCY_NAME_TAKEN',
      message: expect.stringMatching(/written in another case/),
    });
  });

  it('is not made where somebody else writes into the name meanwhile', async () => {
    const target = homes.target();
    const racing = await Promise.allSettled([
      homes.driver.create(target, never),
      ...Array.from({ length: 5 }, (_, index) => homes.db(target).collection(`theirs_${index}`).insertOne({ at: index })),
    ]);
    // Whoever was first, their documents are there and whole, and a marker only where we say so.
    expect(await homes.db(target).collection('theirs_4').countDocuments()).toBe(1);
    expect((await homes.home(target)) !== null).toBe(racing[0]?.status === 'fulfilled');
  });

  it("is listed among others, without the server's own", async () => {
    const target = await homes.create();
    const listed = await homes.driver.list({ after: null, limit: 10_000 });
    expect(listed).toContainEqual({ name: target.name, marker: target.marker });
    expect(listed.map(({ name }) => name)).not.toContain('admin');
    expect(listed.map(({ name }) => name)).not.toContain('local');
    expect([...listed].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))).toEqual(listed);
  });

  it("is reached by a URL that logs in as the cluster's own does", async () => {
    const target = await homes.create();
    const url = homes.driver.connectionUrl(target);
    const client = new MongoClient(url);
    clients.push(client);
    expect(client.db().databaseName).toBe(target.name);
    await client.db().collection('x').insertOne({});
    expect(homes.driver.databaseName(target)).toBe(target.name);
    expect(homes.driver.clientCommand(target, url)).toBe(`mongosh '${url}'`);
    expect(homes.driver.nativeDatabase?.(target)).toMatchObject({ databaseName: target.name });
  });

  it('is not queried in SQL', async () => {
    const target = await homes.create();
    await expect(homes.within(target, (session) => session.db.query('SELECT 1'))).rejects.toMatchObject({
      code: 'TENANCY_QUERY_REFUSED',
      hint: expect.stringMatching(/ctx\.mongo\(\)/),
    });
  });

  it('is closed to the users of its neighbours', async () => {
    const [mine, other] = [await homes.create(), await homes.create()];
    await createUser(mine.name, 'app', ['readWrite']);
    await homes.db(other).collection('secrets').insertOne({ value: 'x' });
    const app = connectAs(mine.name, 'app');
    await app.collection('x').insertOne({});
    expect(await codeOf(app.client.db(other.name).collection('secrets').findOne())).toBe(13);
    expect(await codeOf(app.client.db(other.name).collection('x').insertOne({}))).toBe(13);
    expect(await codeOf(app.client.db(other.name).dropDatabase())).toBe(13);
  });
});

describe('the drop of a MongoDB database', () => {
  it('leaves no user behind, also where somebody dropped it by hand', async () => {
    const target = await homes.create();
    await createUser(target.name, 'orphan', ['readWrite']);
    expect(await homes.driver.sweepLeft?.(target, never)).toEqual({ removed: [], left: [] });
    await homes.root.db(target.name).dropDatabase();
    expect(await homes.driver.drop(target, never)).toBe('absent');
    expect(await homes.driver.sweepLeft?.(target, never)).toEqual({ removed: [`the user orphan@${target.name}`], left: [] });
    expect(await usersOf(target.name)).toEqual([]);
  });

  it('takes its users along, and the roles that others have on it', async () => {
    const [target, sibling] = [await homes.create(), await homes.create()];
    const outsider = `${homes.mongo.namePrefix}_outsider`;
    await createUser(target.name, 'app', ['readWrite']);
    await createUser(target.name, 'report', ['read']);
    await createUser('admin', outsider, [
      { role: 'readWrite', db: target.name },
      { role: 'read', db: sibling.name },
    ]);
    await homes.db(target).collection('x').insertOne({});
    expect(await homes.driver.planDrop(target)).toEqual([]);
    expect(await homes.driver.drop(target, never)).toBe('dropped');
    expect(await namesOnServer()).not.toContain(target.name);
    expect(await usersOf(target.name)).toEqual([]);
    const { users } = await homes.root.db('admin').command({ usersInfo: outsider });
    expect(users[0].roles).toEqual([{ role: 'read', db: sibling.name }]);

    // The next one of that name is not open to the last one's credential.
    const next = { ...target, marker: markerOf('acme') };
    await homes.driver.create(next, never);
    await expect(connectAs(target.name, 'app').collection('x').findOne()).rejects.toMatchObject({ code: 18 });
  });

  it('is finished by the next attempt, wherever it was interrupted', async () => {
    for (const steps of [1, 2, 3]) {
      const target = await homes.create();
      await homes.db(target).collection('a').insertOne({});
      await homes.db(target).collection('b').insertOne({});
      await createUser(target.name, 'app', ['readWrite']);
      await homes
        .db(target)
        .collection<{ _id: string }>('_tenancy')
        .updateOne({ _id: 'home' }, { $set: { status: 'dropping' } });
      if (steps > 1) await homes.db(target).command({ dropAllUsersFromDatabase: 1 });
      if (steps > 2) await homes.db(target).dropCollection('a');
      expect(await homes.driver.probe(target)).toEqual({ status: 'partial', isEmpty: false });
      await expect(homes.driver.create(target, never)).rejects.toThrow(/was interrupted while it was being dropped/);
      await expect(homes.within(target, (session) => session.applyMigrations([countedInMongo('a')], blindly()))).rejects.toMatchObject({
        code: 'TENANCY_HOME_NOT_OURS',
      });
      expect(await homes.driver.drop(target, never)).toBe('dropped');
      expect(await namesOnServer()).not.toContain(target.name);
      expect(await usersOf(target.name)).toEqual([]);
    }
  });

  it('takes nothing of what was made anew while the attempt stood still', async () => {
    const target = await homes.create();
    for (const name of ['a', 'b']) await homes.db(target).collection(name).insertOne({});
    const next = { ...target, marker: markerOf('globex') };
    let isReplaced = false;
    const proxy = await createMongodbProxy(homes.mongo.url, {
      onCommand: async ({ name, phase }): Promise<'forward'> => {
        if (isReplaced || name !== 'drop' || phase !== 'after') return 'forward';
        isReplaced = true;
        await homes.driver.drop(target, never);
        await homes.driver.create(next, never);
        for (const collection of ['a', 'b']) await homes.db(next).collection(collection).insertOne({ of: 'globex' });
        return 'forward';
      },
    });
    try {
      const zombie = (await homes.open(proxy.url)).driver('mongodb-database');
      await expect(zombie.drop(target, never)).rejects.toMatchObject({ code: 'TENANCY_DROP_REFUSED' });
      for (const name of ['a', 'b']) expect(await homes.db(next).collection(name).countDocuments()).toBe(1);
    } finally {
      await proxy.close();
    }
  });

  it('is refused for the database that the URL names', async () => {
    const target = homes.target();
    const engine = await homes.open(mongoUrl(homes.mongo.url, target.name));
    const driver = engine.driver('mongodb-database');
    await driver.create(target, never);
    expect(await driver.planDrop(target)).toEqual(["it is the database that the cluster's URL names"]);
    await expect(driver.drop(target, never)).rejects.toMatchObject({ code: 'TENANCY_DROP_REFUSED' });
    expect((await driver.list({ after: null, limit: 10_000 })).map(({ name }) => name)).not.toContain(target.name);
  });

  it('goes on where the login may not touch users', async () => {
    const target = await homes.create();
    const login = `${homes.mongo.namePrefix}_narrow`;
    await createUser('admin', login, ['readWriteAnyDatabase', 'dbAdminAnyDatabase']);
    const engine = await homes.open(mongoUrl(homes.mongo.url, 'admin', { user: login, password }));
    const driver = engine.driver('mongodb-database');
    expect(await driver.probe(target)).toEqual({ status: 'ours', isEmpty: true });
    expect(await driver.cutAccess(target, never)).toMatchObject({
      isEnforced: false,
      detail: expect.stringMatching(/may not change users/),
    });
    expect(await driver.drop(target, never)).toBe('dropped');
    const { privileges } = await engine.readFacts();
    const missing = privileges.filter(({ isGranted }) => !isGranted);
    expect(missing.map(({ hint }) => hint)).toEqual([
      `db.getSiblingDB("admin").grantRolesToUser("${login}", [{ role: "userAdminAnyDatabase", db: "admin" }])`,
      `db.getSiblingDB("admin").grantRolesToUser("${login}", [{ role: "hostManager", db: "admin" }])`,
    ]);
  });
});

describe('the access to a MongoDB database', () => {
  it('is taken from its own users, and given back as it was', async () => {
    const [target, sibling] = [await homes.create(), await homes.create()];
    await createUser(target.name, 'app', ['readWrite', { role: 'read', db: sibling.name }]);
    await createUser(target.name, 'report', ['read']);
    const app = connectAs(target.name, 'app');
    await app.collection('x').insertOne({});
    const before = await usersOf(target.name);
    expect(await homes.driver.planCutAccess(target)).toMatchObject({ isEnforced: true });
    expect(await usersOf(target.name)).toEqual(before);

    expect(await homes.driver.cutAccess(target, never)).toEqual({
      isEnforced: true,
      detail: 'all roles were taken from app, report, and what they ran was ended',
    });
    expect(await codeOf(app.collection('x').findOne())).toBe(13);
    expect(await codeOf(connectAs(target.name, 'app').collection('x').findOne())).toBe(13);
    // Once more, as after a crash: what was taken first is not forgotten.
    await homes.driver.cutAccess(target, never);
    // Migrations of a suspended tenant go on.
    await homes.within(target, (session) => session.applyMigrations([countedInMongo('a')], blindly()));

    expect(await homes.driver.restoreAccess(target, never)).toMatchObject({ isEnforced: true });
    const sorted = (users: typeof before) =>
      users.map(({ user, roles }) => ({ user, roles: roles.map(({ role, db }) => `${role}@${db}`).sort() }));
    expect(sorted(await usersOf(target.name))).toEqual(sorted(before));
    expect(await codeOf(app.collection('x').findOne())).toBe(0);
    expect(await homes.driver.restoreAccess(target, never)).toMatchObject({ detail: 'nothing had been taken away' });
  });

  it('ends what its users are running', async () => {
    const target = await homes.create();
    await createUser(target.name, 'app', ['readWrite']);
    const app = connectAs(target.name, 'app');
    const session = app.client.startSession();
    session.startTransaction();
    await app.collection('x').insertOne({}, { session });
    await homes.driver.cutAccess(target, never);
    expect(await codeOf(session.commitTransaction())).not.toBe(0);
    expect(await homes.db(target).collection('x').countDocuments()).toBe(0);
    await session.endSession();
  });

  it('is left to the application where the tenant has no user of its own', async () => {
    const target = await homes.create();
    expect(await homes.driver.cutAccess(target, never)).toMatchObject({
      isEnforced: false,
      detail: expect.stringMatching(/shares the application/),
    });
    const stranger: TenantTarget = { ...target, marker: markerOf('somebody') };
    await expect(homes.driver.cutAccess(stranger, never)).rejects.toMatchObject({ code: 'TENANCY_ACCESS_REFUSED' });
    await expect(homes.driver.restoreAccess(stranger, never)).rejects.toMatchObject({ code: 'TENANCY_ACCESS_REFUSED' });
  });
});

describe('a MongoDB cluster', () => {
  it('tells itself from others, and what it allows', async () => {
    const { config } = await homes.root.db('admin').command({ replSetGetConfig: 1 });
    expect(await homes.engine.readIdentity()).toBe(`replica set ${config.settings.replicaSetId}`);
    const facts = await homes.engine.readFacts();
    const { version } = await homes.root.db('admin').command({ buildInfo: 1 });
    expect(facts.version).toBe(version);
    expect(facts.connectionsInUse).toBeGreaterThan(0);
    expect(facts.maxConnections).toBeGreaterThan(facts.connectionsInUse);
    expect(facts.privileges.every(({ isGranted }) => isGranted)).toBe(true);
  });

  it('is still told from others by a login that may read little', async () => {
    const login = `${homes.mongo.namePrefix}_little`;
    await createUser('admin', login, ['readWriteAnyDatabase']);
    const engine = await homes.open(mongoUrl(homes.mongo.url, 'admin', { user: login, password }));
    expect(await engine.readIdentity()).toMatch(/^(server [0-9a-f-]{36}|replica set named \w+)$/);
    expect(await engine.readFacts()).toMatchObject({ connectionsInUse: 0, maxConnections: 65_536 });
  });

  it('says that a login was not accepted, that nobody answers, or that it is no cluster of these tenants', async () => {
    const wrong = await homes.open(mongoUrl(homes.mongo.url, 'admin', { user: 'nobody', password: 'canary-pass' }));
    const refusal: unknown = await wrong.readFacts().catch((error: unknown) => error);
    expect(wrong.classify(refusal)).toBe('fatal');
    const described = wrong.describeUnreachable(refusal);
    expect(described).toMatchObject({ code: 'TENANCY_CLUSTER_UNREACHABLE', message: expect.stringMatching(/the login was not accepted/) });
    expect(`${described?.message}${described?.hint}${wrong.where}`).not.toContain('canary-pass');

    const gone = await homes.open('mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200&directConnection=true');
    const silence: unknown = await gone.readFacts().catch((error: unknown) => error);
    expect(gone.classify(silence)).toBe('connection');
    expect(gone.describeUnreachable(silence)).toMatchObject({ message: expect.stringMatching(/ECONNREFUSED/) });
    expect(gone.describeUnreachable(new Error('else'))).toBeNull();

    expect(() => homes.engine.driver('postgres-schema')).toThrow(expect.objectContaining({ code: 'TENANCY_DRIVER_MISPLACED' }));
    for (const url of ['mongodb://a,,b', 'mongodb://a/?readPreference=none', 'mongodb://u:pa/ss@a/'])
      await expect(homes.open(url)).rejects.toMatchObject({ code: 'TENANCY_CLUSTER_URL_REJECTED' });
  });
});
