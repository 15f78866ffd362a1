import { afterEach, describe, expect, it } from 'vitest';
import { blindly, countedInMongo, mongoMigration, never, useMongoHomes } from './mongodb-rig.js';

/** `failCommand` is a server's own, so this file has one to itself. */
const homes = useMongoHomes('own');

async function fail(failCommands: readonly string[], data: Record<string, unknown>, times = 1): Promise<void> {
  await homes.root.db('admin').command({
    configureFailPoint: 'failCommand',
    mode: { times },
    data: { failCommands, appName: `homes-${homes.mongo.namePrefix}`, ...data },
  });
}

afterEach(async () => {
  await homes.root.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
});

/** HostUnreachable, NetworkTimeout, ShutdownInProgress, PrimarySteppedDown, NotWritablePrimary, InterruptedAtShutdown and their like. */
const passing = [6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];

describe('what passes by itself', () => {
  it.each(passing)("doesn't keep a database from being made and dropped: code %i", async (errorCode) => {
    const target = homes.target();
    await fail(['insert'], { errorCode });
    expect(await homes.driver.create(target, never)).toMatch(/created|adopted/);
    await homes.db(target).collection('x').insertOne({});
    await fail(['drop'], { errorCode });
    expect(await homes.driver.drop(target, never)).toBe('dropped');
    expect(await homes.driver.probe(target)).toEqual({ status: 'absent' });
  });

  it.each(['usersInfo', 'drop', 'dropDatabase', 'dropAllUsersFromDatabase', 'update', 'listCollections', 'find'])(
    'is a connection that is lost at %s',
    async (command) => {
      const target = await homes.create();
      await homes.db(target).collection('x').insertOne({});
      await homes.db(target).command({ createUser: 'app', pwd: 'x', roles: ['readWrite'] });
      await fail([command], { closeConnection: true });
      expect(await homes.driver.drop(target, never)).toBe('dropped');
      expect(await homes.driver.probe(target)).toEqual({ status: 'absent' });
    },
  );

  it('is a lock that somebody holds, and only so often', async () => {
    const target = await homes.create();
    await homes.db(target).collection('x').insertOne({});
    await fail(['drop'], { errorCode: 46 }, 2);
    expect(await homes.driver.drop(target, never)).toBe('dropped');
    const other = await homes.create();
    await homes.db(other).collection('x').insertOne({});
    await fail(['drop'], { errorCode: 46 }, 1000);
    const error: unknown = await homes.driver.drop(other, never).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 46 });
    expect(homes.engine.classify(error)).toBe('busy');
    expect(await homes.driver.probe(other)).toMatchObject({ status: 'partial' });
  });

  it('is ended by an abort', async () => {
    const target = await homes.create();
    await homes.db(target).collection('x').insertOne({});
    await fail(['drop'], { errorCode: 46 }, 1000);
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error('enough')), 100);
    await expect(homes.driver.drop(target, abort.signal)).rejects.toThrow('enough');
  });

  it('is not a right that is missing: that is tried once', async () => {
    const target = homes.target();
    await fail(['insert'], { errorCode: 13 }, 1);
    await expect(homes.driver.create(target, never)).rejects.toMatchObject({
      code: 'TENANCY_CREATE_FORBIDDEN',
      message: expect.stringMatching(/the login \S+ lacks readWriteAnyDatabase/),
      hint: expect.stringMatching(/grantRolesToUser\("[^"]+", \[\{ role: "readWriteAnyDatabase", db: "admin" \}\]\)/),
      cause: expect.objectContaining({ code: 13 }),
    });
    expect(await homes.driver.probe(target)).toEqual({ status: 'absent' });
  });
});

describe('a migration that loses its connection', () => {
  it('is not applied, and run again by the next attempt, where the server could be told', async () => {
    const target = await homes.create();
    const apply = (): Promise<unknown> => homes.within(target, (session) => session.applyMigrations([module], blindly()));
    const module = mongoMigration('a', {
      up: async (db) => {
        await db.collection('counts').updateMany({}, { $set: { a: 1 } });
      },
    });
    // Not tried again by the client: a write to many is not among what it may repeat.
    await fail(['update'], { closeConnection: true });
    const error: unknown = await apply().catch((thrown: unknown) => thrown);
    expect(homes.engine.classify(error)).toBe('connection');
    expect(homes.engine.describeUnreachable(error)).toMatchObject({ code: 'TENANCY_CLUSTER_UNREACHABLE' });
    await apply();
    expect((await homes.within(target, (session) => session.readHistory())).applied).toHaveLength(1);
  });

  it('is committed once where the answer to its commit is lost', async () => {
    const target = await homes.create();
    const module = countedInMongo('a', {
      transaction: true,
      up: (db, { session }) => db.collection('counts').insertOne({ name: 'a' }, { session }),
    });
    await fail(['commitTransaction'], { closeConnection: true }, 2);
    await homes.within(target, (session) => session.applyMigrations([module], blindly()));
    expect(await homes.db(target).collection('counts').countDocuments()).toBe(1);
    expect((await homes.within(target, (session) => session.readHistory())).applied).toHaveLength(1);
  });

  it('is a transaction to begin anew where the server ended it', async () => {
    const target = await homes.create();
    const module = countedInMongo('a', {
      transaction: true,
      up: (db, { session }) => db.collection('counts').insertOne({ name: 'a' }, { session }),
    });
    await fail(['insert'], { errorCode: 251, errorLabels: ['TransientTransactionError'] });
    const apply = (): Promise<unknown> => homes.within(target, (session) => session.applyMigrations([module], blindly()));
    const error: unknown = await apply().catch((thrown: unknown) => thrown);
    expect(homes.engine.classify(error)).toBe('transaction');
    await apply();
    expect(await homes.db(target).collection('counts').countDocuments()).toBe(1);
  });
});
