import { describe, expect, it } from 'vitest';
import { blindly, countedInMongo, mongoMigration, useMongoHomes } from './mongodb-rig.js';

const homes = useMongoHomes();
const { within, create } = {
  within: ((...args) => homes.within(...args)) as typeof homes.within,
  create: () => homes.create(),
};

describe('a migration on MongoDB that is interrupted', () => {
  it('is stopped where it is, and unknown from then on, until somebody says', async () => {
    for (const answer of ['applied', 'rerun'] as const) {
      const target = await create();
      const abort = new AbortController();
      const slow = mongoMigration('slow', {
        up: async (db, { log }) => {
          await db.collection('counts').insertOne({ name: 'slow' });
          if (abort.signal.aborted) return;
          log('sent');
          await db.admin().command({ sleep: 1, millis: 60_000, lock: 'none' });
        },
      });
      const running = within(
        target,
        (session) => session.applyMigrations([slow], blindly({ log: () => setImmediate(() => abort.abort(new Error('enough'))) })),
        { signal: abort.signal },
      );
      await expect(running).rejects.toThrow('enough');
      const again = (): Promise<unknown> => within(target, (session) => session.applyMigrations([slow], blindly()), { fence: 2 });
      await expect(again()).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_UNKNOWN' });
      await expect(
        within(target, (session) => session.applyMigrations([countedInMongo('other')], blindly()), { fence: 2 }),
      ).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_PROGRESS_DRIFTED' });
      await within(target, (session) => session.resolveProgress(answer), { fence: 2 });
      await again();
      expect(await homes.applied(target)).toEqual(['slow']);
      expect(await homes.counts(target)).toHaveLength(answer === 'applied' ? 1 : 2);
    }
  });

  it('is run again where it says that it bears it', async () => {
    const target = await create();
    const a = countedInMongo('a', { rerunnable: true });
    await homes
      .db(target)
      .collection<{ _id: string }>('_tenancy')
      .updateOne(
        { _id: 'home' },
        { $set: { progress: { name: 'a', checksum: a.checksum, statementsDone: 0, state: 'started', isSeed: false } } },
      );
    await within(target, (session) => session.applyMigrations([a], blindly()));
    expect(await homes.applied(target)).toEqual(['a']);
  });

  it('is ended by the limit of a statement, and named after it', async () => {
    const target = await create();
    const slow = mongoMigration('slow', {
      up: async (db) => {
        await db.admin().command({ sleep: 1, millis: 60_000, lock: 'none' });
      },
    });
    await expect(
      within(target, (session) => session.applyMigrations([slow], blindly()), { statementTimeoutMs: 100 }),
    ).rejects.toMatchObject({ code: 'TENANCY_STATEMENT_TIMED_OUT', details: { migration: 'slow', limitMs: 100 } });
    expect((await within(target, (session) => session.readHistory())).progress).toMatchObject({ state: 'between' });
  });
});

describe('a migration on MongoDB that asks for a transaction', () => {
  it('is done with its history, or not at all', async () => {
    const target = await create();
    let isBroken = true;
    const module = mongoMigration('a', {
      transaction: true,
      up: async (db, { session }) => {
        await db.collection('counts').insertMany([{ name: 'a' }, { name: 'a2' }], { session });
        if (isBroken) throw new Error('half way');
      },
    });
    const apply = (): Promise<unknown> => within(target, (session) => session.applyMigrations([module], blindly()));
    await expect(apply()).rejects.toThrow(/half way/);
    expect(await homes.counts(target)).toEqual([]);
    expect((await within(target, (session) => session.readHistory())).progress).toBeNull();
    isBroken = false;
    await apply();
    expect(await homes.counts(target)).toEqual(['a', 'a2']);
    expect(await homes.applied(target)).toEqual(['a']);
  });

  it('may not end it', async () => {
    const target = await create();
    const module = mongoMigration('a', {
      transaction: true,
      up: async (db, { session }) => {
        await db.collection('counts').insertOne({ name: 'a' }, { session });
        await session.abortTransaction();
      },
    });
    await expect(within(target, (session) => session.applyMigrations([module], blindly()))).rejects.toThrow(/it ended the transaction/);
    expect(await homes.counts(target)).toEqual([]);
    expect(await homes.applied(target)).toEqual([]);
  });

  it('is not begun by an older owner', async () => {
    const target = await create();
    await within(target, (session) => session.recordApplied([]), { fence: 5 });
    const module = countedInMongo('a', { transaction: true });
    await expect(within(target, (session) => session.applyMigrations([module], blindly()), { fence: 4 })).rejects.toMatchObject({
      code: 'TENANCY_FENCE_LOST',
    });
    expect(await homes.counts(target)).toEqual([]);
  });

  it('is tried again where it meets others', async () => {
    const target = await create();
    const shared = homes.db(target).collection<{ _id: string; n: number }>('shared');
    await shared.insertOne({ _id: 'x', n: 0 });
    let isMet = true;
    const module = mongoMigration('a', {
      transaction: true,
      up: async (db, { session }) => {
        const mine = db.collection<{ _id: string; n: number }>('shared');
        await mine.findOne({ _id: 'x' }, { session });
        if (isMet) await shared.updateOne({ _id: 'x' }, { $inc: { n: 10 } });
        await mine.updateOne({ _id: 'x' }, { $inc: { n: 1 } }, { session });
      },
    });
    const apply = (): Promise<unknown> => within(target, (session) => session.applyMigrations([module], blindly()));
    const error: unknown = await apply().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 112 });
    expect(homes.engine.classify(error)).toBe('transaction');
    isMet = false;
    await apply();
    expect(await shared.findOne()).toMatchObject({ n: 11 });
    expect(await homes.applied(target)).toEqual(['a']);
  });

  it('is told where it writes outside of it', async () => {
    const target = await create();
    const module = countedInMongo('a', { transaction: true });
    await expect(within(target, (session) => session.applyMigrations([module], blindly()))).rejects.toMatchObject({
      message: expect.stringMatching(/sent one of its writes \(insert\) outside of it/),
      hint: expect.stringMatching(/\{ session \}/),
    });
    expect(await homes.applied(target)).toEqual([]);
  });
});

describe('a seed on MongoDB', () => {
  const seedOf = (name: string, up: Parameters<typeof mongoMigration>[1]['up']) => {
    const { checksum, up: script } = mongoMigration(name, { up });
    return { name, checksum, script };
  };

  it('is run once', async () => {
    const target = await create();
    const seed = seedOf('plans.js', (db) => db.collection('counts').insertOne({ name: 'plans' }));
    expect(await within(target, (session) => session.applySeed(seed))).toBe(true);
    expect(await within(target, (session) => session.applySeed(seed))).toBe(false);
    expect(await homes.counts(target)).toEqual(['plans']);
    expect((await within(target, (session) => session.readHistory())).seeds).toEqual(['plans.js']);
  });

  it('is run again after it threw', async () => {
    const target = await create();
    let isBroken = true;
    const seed = seedOf('plans.js', () => {
      if (isBroken) throw new Error('no plans');
    });
    await expect(within(target, (session) => session.applySeed(seed))).rejects.toMatchObject({ code: 'TENANCY_SEED_FAILED' });
    expect((await within(target, (session) => session.readHistory())).progress).toBeNull();
    isBroken = false;
    expect(await within(target, (session) => session.applySeed(seed))).toBe(true);
  });

  it('is unknown after it was interrupted, until somebody says', async () => {
    const target = await create();
    const seed = seedOf('plans.js', () => {});
    await homes
      .db(target)
      .collection<{ _id: string }>('_tenancy')
      .updateOne(
        { _id: 'home' },
        { $set: { progress: { name: seed.name, checksum: seed.checksum, statementsDone: 0, state: 'started', isSeed: true } } },
      );
    await expect(within(target, (session) => session.applySeed(seed))).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_UNKNOWN' });
    expect((await within(target, (session) => session.readHistory())).progress).toMatchObject({ isSeed: true });
    await within(target, (session) => session.resolveProgress('applied'));
    expect(await within(target, (session) => session.applySeed(seed))).toBe(false);
  });
});
