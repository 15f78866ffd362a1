import { describe, expect, it } from 'vitest';
import { TenancyError } from '../../src/errors.js';
import { historyDigest } from '../../src/migrations/history-digest.js';
import { applyOptions, sqlMigration } from './migrate-rig.js';
import { blindly, countedInMongo, mongoMigration, useMongoHomes } from './mongodb-rig.js';

const homes = useMongoHomes();
const { within, create } = {
  within: ((...args) => homes.within(...args)) as typeof homes.within,
  create: () => homes.create(),
};

describe('migrations on MongoDB', () => {
  it('are applied in order, and recorded with the time of the server', async () => {
    const target = await create();
    const steps = ['0001_a', '0002_$b', '0003_c.d'].map((name) => countedInMongo(name));
    const options = applyOptions();
    const applied = await within(target, (session) => session.applyMigrations(steps, options));
    expect(options.seen).toEqual(['0001_a', '0002_$b', '0003_c.d']);
    expect(applied.map(({ name, checksum, runId }) => ({ name, checksum, runId }))).toEqual(
      steps.map(({ name, checksum }) => ({ name, checksum, runId: 'run-1' })),
    );
    const history = await within(target, (session) => session.readHistory());
    expect(history).toEqual({ applied, seeds: [], progress: null, fence: 1 });
    const { localTime } = await homes.root.db('admin').command({ hello: 1 });
    expect(Math.abs(localTime.getTime() - (history.applied[0]?.appliedAt.getTime() ?? 0))).toBeLessThan(60_000);
    expect(await homes.counts(target)).toEqual(['0001_a', '0002_$b', '0003_c.d']);
  });

  it('are handed what migrate-mongo hands on, and what we do', async () => {
    const target = await create();
    const logged: string[] = [];
    const module = mongoMigration('a', {
      up: async (db, client) => {
        const { client: same, session, signal, tenant, log } = client;
        log(`${tenant} ${db.databaseName} ${client.db().databaseName} ${same.db(target.name).databaseName} ${signal.aborted}`);
        await client.db().collection('x').insertOne({ by: 'client' });
        // As migrate-mongo's guide has it.
        const own = client.startSession();
        await own.withTransaction(() => db.collection('x').insertOne({ by: 'own' }, { session: own }));
        await own.endSession();
        await db.collection('x').insertOne({ by: 'session' }, { session });
        await db.createCollection('y');
        await db.collection('y').createIndex({ a: 1 });
        await client.close();
      },
    });
    await within(target, (session) => session.applyMigrations([module], blindly({ log: (text) => logged.push(text) })));
    expect(logged).toEqual([`acme ${target.name} ${target.name} ${target.name} false`]);
    expect(await homes.db(target).collection('x').countDocuments()).toBe(3);
    expect(await homes.db(target).collection('y').indexes()).toHaveLength(2);
    expect(await homes.applied(target)).toEqual(['a']);
  });

  it.each<[string, unknown, RegExp]>([
    ['an Error', new TypeError('no'), /migration b: TypeError: no$/],
    ['a string', 'no', /migration b: it threw "no", which is not an Error/],
    ['nothing', undefined, /migration b: it threw undefined/],
  ])('are not applied where they throw %s, and run again by the next attempt', async (_, thrown, message) => {
    const target = await create();
    let isBroken = true;
    const b = mongoMigration('b', {
      up: async (db) => {
        await db.collection('counts').insertOne({ name: 'b' });
        if (isBroken) throw thrown;
      },
    });
    const steps = [countedInMongo('a'), b, countedInMongo('c')];
    const failing = within(target, (session) => session.applyMigrations(steps, blindly()));
    await expect(failing).rejects.toThrow(message);
    await expect(failing).rejects.toMatchObject({
      code: 'TENANCY_MIGRATION_FAILED',
      details: { tenant: 'acme', migration: 'b', file: 'migrations/b.ts' },
    });
    expect(await homes.applied(target)).toEqual(['a']);
    expect((await within(target, (session) => session.readHistory())).progress).toMatchObject({
      name: 'b',
      state: 'between',
      statementsDone: 0,
    });
    isBroken = false;
    await within(target, (session) => session.applyMigrations(steps.slice(1), blindly()));
    expect(await homes.applied(target)).toEqual(['a', 'b', 'c']);
    // What was done before it threw was kept: there is no transaction.
    expect(await homes.counts(target)).toEqual(['a', 'b', 'b', 'c']);
  });

  it('leave nothing behind where they can not be loaded', async () => {
    const target = await create();
    const unloadable = mongoMigration('b', {
      up: async () => {
        throw new TenancyError('TENANCY_MIGRATION_MODULE_REJECTED', { file: 'migrations/b.ts', reason: 'it exports no function `up`' });
      },
    });
    const steps = [countedInMongo('a'), unloadable];
    await expect(within(target, (session) => session.applyMigrations(steps, blindly()))).rejects.toThrow('it exports no function');
    expect((await within(target, (session) => session.readHistory())).progress).toBeNull();
    await within(target, (session) => session.applyMigrations([countedInMongo('c')], blindly()));
    expect(await homes.applied(target)).toEqual(['a', 'c']);
  });

  it('say what the server refused', async () => {
    const target = await create();
    const module = mongoMigration('a', {
      up: async (db) => {
        await db.collection<{ _id: number }>('x').insertMany([{ _id: 1 }, { _id: 1 }]);
      },
    });
    await expect(within(target, (session) => session.applyMigrations([module], blindly()))).rejects.toThrow(
      /E11000 duplicate key.*code 11000/,
    );
  });

  it('stay in the tenant', async () => {
    const target = await create();
    const sibling = await create();
    const attempt = (up: Parameters<typeof mongoMigration>[1]['up']): Promise<unknown> =>
      within(target, (session) => session.applyMigrations([mongoMigration('a', { up })], blindly()));
    await expect(attempt((_, client) => client.db(sibling.name).collection('x').insertOne({}))).rejects.toThrow(
      /reaches beyond the tenant/,
    );
    await expect(attempt((_, { client }) => client.db('admin').command({ ping: 1 }))).rejects.toThrow(/reaches beyond the tenant/);
    await expect(attempt((db) => db.client.db(sibling.name).collection('x').insertOne({}))).rejects.toThrow(/reaches beyond the tenant/);
    await expect(attempt((db) => db.dropDatabase())).rejects.toThrow(/would take the history of migrations along/);
    await expect(attempt((db) => db.collection('_tenancy').deleteMany({}))).rejects.toThrow(/not the migration's own/);
    await expect(attempt((db) => db.dropCollection('_tenancy'))).rejects.toThrow(/not the migration's own/);
    await expect(attempt((db) => db.renameCollection('_tenancy', 'x'))).rejects.toThrow(/not the migration's own/);
    await expect(attempt((db) => db.command({ dropDatabase: 1 }))).rejects.toThrow(/would take the history of migrations along/);
    await expect(attempt((db) => db.command({ drop: '_tenancy' }))).rejects.toThrow(/not the migration's own/);
    expect(await homes.applied(target)).toEqual([]);
    expect(await homes.applied(sibling)).toEqual([]);
  });

  it('keep our collection where they empty the tenant', async () => {
    const target = await create();
    await homes.db(target).collection('x').insertOne({});
    const emptying = mongoMigration('a', {
      up: async (db) => {
        for (const collection of await db.collections()) await collection.drop();
      },
    });
    await within(target, (session) => session.applyMigrations([emptying], blindly()));
    expect(await homes.db(target).listCollections({}, { nameOnly: true }).toArray()).toMatchObject([{ name: '_tenancy' }]);
    expect(await homes.applied(target)).toEqual(['a']);
  });

  it('lose their db when they are over', async () => {
    const target = await create();
    let open = (): void => {};
    const isOver = new Promise<void>((resolve) => {
      open = resolve;
    });
    const late: Promise<unknown>[] = [];
    const module = mongoMigration('a', {
      up: (db) => {
        const held = db.collection('x');
        late.push(
          isOver.then(() => db.collection('x').insertOne({})),
          isOver.then(() => held.insertOne({})),
          isOver.then(() => held.find().toArray()),
        );
        for (const one of late) one.catch(() => {});
      },
    });
    await within(target, (session) => session.applyMigrations([module], blindly()));
    open();
    for (const one of late) await expect(one).rejects.toThrow(/the migration is over/);
    expect(await homes.db(target).collection('x').countDocuments()).toBe(0);
  });

  it('may not be SQL', async () => {
    const target = await create();
    await expect(
      within(target, (session) => session.applyMigrations([countedInMongo('a'), sqlMigration('b', 'SELECT 1')], blindly())),
    ).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_SQL_REFUSED' });
    expect(await homes.counts(target)).toEqual([]);
  });

  it('run on nothing but the history that was planned on', async () => {
    const target = await create();
    const [a, b] = [countedInMongo('a'), countedInMongo('b')];
    await within(target, (session) => session.applyMigrations([a], blindly({ expectedDigest: historyDigest([]) })));
    await expect(
      within(target, (session) => session.applyMigrations([b], blindly({ expectedDigest: historyDigest([]) }))),
    ).rejects.toMatchObject({ code: 'TENANCY_HISTORY_MOVED' });
    await expect(within(target, (session) => session.applyMigrations([a], blindly()))).rejects.toMatchObject({
      code: 'TENANCY_HISTORY_MOVED',
    });
    await within(target, (session) => session.applyMigrations([b], blindly({ expectedDigest: historyDigest([a]) })));
    expect(await homes.counts(target)).toEqual(['a', 'b']);
  });

  it('are stopped by a newer owner, also in between', async () => {
    const target = await create();
    await within(target, (session) => session.applyMigrations([countedInMongo('a')], blindly()), { fence: 7 });
    await expect(
      within(target, (session) => session.applyMigrations([countedInMongo('b')], blindly()), { fence: 6 }),
    ).rejects.toMatchObject({ code: 'TENANCY_FENCE_LOST' });
    const overtaken = mongoMigration('c', {
      up: async () => {
        await within(target, (session) => session.resolveProgress('rerun'), { fence: 9 });
      },
    });
    await expect(within(target, (session) => session.applyMigrations([overtaken], blindly()), { fence: 8 })).rejects.toMatchObject({
      code: 'TENANCY_FENCE_LOST',
    });
    expect(await homes.applied(target)).toEqual(['a']);
    expect(await homes.counts(target)).toEqual(['a']);
  });

  it("enter no home that is another tenant's, being dropped, or gone", async () => {
    const target = await create();
    const apply = (): Promise<unknown> => within(target, (session) => session.applyMigrations([countedInMongo('a')], blindly()));
    const collection = homes.db(target).collection<{ _id: string }>('_tenancy');
    await collection.updateOne({ _id: 'home' }, { $set: { operation: 'later' } });
    await expect(apply()).rejects.toThrow(/belongs to an earlier life of tenant acme/);
    await expect(within(target, (session) => session.readHistory())).rejects.toMatchObject({ code: 'TENANCY_HOME_NOT_OURS' });
    await collection.updateOne({ _id: 'home' }, { $set: { operation: target.marker.operation, status: 'dropping' } });
    await expect(apply()).rejects.toThrow(/is being dropped/);
    await collection.deleteOne({ _id: 'home' });
    await expect(apply()).rejects.toMatchObject({ code: 'TENANCY_HOME_NOT_OURS' });
    expect(await homes.counts(target)).toEqual([]);
  });

  it('are taken back, newest first, where they have a way down', async () => {
    const target = await create();
    const [a, b, c] = [countedInMongo('a'), countedInMongo('b'), mongoMigration('c', { up: () => {} })];
    await within(target, (session) => session.applyMigrations([a, b, c], blindly()));
    await expect(within(target, (session) => session.revertMigrations([c, b], blindly()))).rejects.toMatchObject({
      code: 'TENANCY_MIGRATION_IRREVERSIBLE',
    });
    const options = applyOptions({ expectedDigest: null });
    await within(target, (session) => session.revertMigrations([b, a], options));
    expect(options.seen).toEqual(['b', 'a']);
    expect(await homes.applied(target)).toEqual(['c']);
    expect(await homes.counts(target)).toEqual([]);
  });

  it('are recorded without being run', async () => {
    const target = await create();
    const [a, b] = [countedInMongo('a'), countedInMongo('b')];
    await within(target, (session) => session.applyMigrations([a], blindly()));
    await within(target, (session) => session.recordApplied([{ name: 'a', checksum: 'another' }, b]));
    const { applied } = await within(target, (session) => session.readHistory());
    expect(applied.map(({ name, checksum }) => ({ name, checksum }))).toEqual([
      { name: 'a', checksum: a.checksum },
      { name: 'b', checksum: b.checksum },
    ]);
    expect(await homes.counts(target)).toEqual(['a']);
  });
});
