import type { Document, Filter, UpdateFilter } from 'mongodb';
import type { DriverName, TenantId } from '../../tenant.js';
import type { PreparedHome, PreparedHomeBook, PreparedHomeStatus, PreparedHomeType } from '../prepared-homes.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import type { PreparedHomeDocument } from './documents.js';
import { type NewEvent, recordEvents } from './events.js';
import { tick } from './tick.js';

/** Each change is one write of one document, in a transaction with what the audit trail tells of it. */
export function createPreparedHomeBook(db: RegistryConnection): PreparedHomeBook {
  const { preparedHomes } = db.collections;
  const until = (ttlMs: number) => ({ $add: ['$$NOW', ttlMs] });
  const find = (filter: Filter<PreparedHomeDocument>) =>
    db.send(() =>
      preparedHomes
        .find(filter, IN_ONE_BATCH)
        .sort({ sequence: 1 })
        .project<ReadHome>(WITH_ABANDONED)
        .toArray()
        .then((found) => found.map(toHome)),
    );
  const findOne = async (filter: Filter<PreparedHomeDocument>) => (await find(filter))[0] ?? null;

  /** What was found is changed by one write; another's, meanwhile, has the whole transaction run anew. */
  const change = (
    filter: Filter<PreparedHomeDocument>,
    update: UpdateFilter<PreparedHomeDocument> | Document[],
    describe: (before: PreparedHomeDocument) => Pick<NewEvent, 'type' | 'tenant'> | null,
  ): Promise<boolean> =>
    db.transact(async (session) => {
      const before = await preparedHomes.findOne(filter, { session, sort: { sequence: 1 } });
      if (before === null) return false;
      const told = describe(before);
      const ticked = told === null ? null : await tick(db, 1);
      await preparedHomes.updateOne({ _id: before._id }, update, { session });
      const now = await preparedHomes.findOne({ _id: before._id }, { session });
      if (told !== null && ticked !== null && now !== null) await recordEvents(db, session, ticked, [{ ...told, data: dataOf(now) }]);
      return true;
    });

  return {
    enterPreparedHomes: async (homes, { owner, host, ttlMs }) => {
      if (homes.length === 0) return [];
      const rest = { status: 'making', schemaVersion: null, migrationsHash: null, tenant: null, owner, host } as const;
      for (const { id, type, cluster, driver, name } of homes) {
        await db.transact(async (session) => {
          if ((await preparedHomes.findOne({ $or: [{ _id: id }, { cluster, driver, name }] }, { session })) !== null) return;
          // Within the transaction: all that enter write the head of one audit chain, so that who is later has read the other's and has the greater
          // number. Whoever lists what was entered sees all that has a lower one; else two who fill a pool at once would both keep all of theirs.
          const ticked = await tick(db, 1);
          const times = { aliveUntil: new Date(ticked.now.getTime() + ttlMs), createdAt: ticked.now, readyAt: null };
          const document = { _id: id, sequence: ticked.first, type, cluster, driver, name, ...rest, ...times };
          await preparedHomes.insertOne(document, { session });
          await recordEvents(db, session, ticked, [{ type: `${type}.entered`, data: dataOf(document) }]);
        });
      }
      return (await find({ _id: { $in: homes.map(({ id }) => id) } })).map(({ id }) => id);
    },
    listPreparedHomes: ({ type, cluster, name }) =>
      find({
        ...(type === undefined ? {} : { type }),
        ...(cluster === undefined ? {} : { cluster }),
        ...(name === undefined ? {} : { name }),
      }),
    takePreparedHome: async (id, { owner, host, ttlMs, from, to }) => {
      const isFree = { $or: [{ status: { $in: ['ready', 'claimed'] } }, { owner }, { $expr: { $lte: ['$aliveUntil', '$$NOW'] } }] };
      const set = { status: to, owner: { $literal: owner }, host: { $literal: host }, aliveUntil: until(ttlMs) };
      const matching: Filter<PreparedHomeDocument> = {
        _id: id,
        $or: [{ $and: [{ status: { $in: [...from] } }, isFree] }, { status: to, owner }],
      };
      const isTaken = await change(matching, [{ $set: set }], (before) =>
        before.status === to && before.owner === owner ? null : { type: `${before.type}.${to}` },
      );
      return isTaken ? findOne({ _id: id }) : null;
    },
    finishPreparedHome: (id, { owner, schemaVersion, migrationsHash }) => {
      const set = { status: 'ready', schemaVersion: { $literal: schemaVersion }, migrationsHash, readyAt: '$$NOW', tenant: null };
      const mine: Filter<PreparedHomeDocument> = { _id: id, owner, status: { $in: ['making', 'ready'] } };
      return change(mine, [{ $set: set }, { $unset: 'operationId' }], ({ type, status }) =>
        status === 'ready' ? null : { type: `${type}.made` },
      );
    },
    renewPreparedHomes: async (owner, ttlMs) => {
      const mine: Filter<PreparedHomeDocument> = { owner, status: { $in: ['making', 'dropping'] } };
      await db.send(() => preparedHomes.updateMany(mine, [{ $set: { aliveUntil: until(ttlMs) } }]));
    },
    claimPreparedHome: async ({ cluster, driver, tenant, operationId, migrationsHash }) => {
      const mine: Filter<PreparedHomeDocument> = { operationId, status: 'claimed' };
      const before = await findOne(mine);
      if (before !== null) return before;
      const ready: Filter<PreparedHomeDocument> = { cluster, driver, status: 'ready', type: 'spare' };
      const claim = (filter: Filter<PreparedHomeDocument>) =>
        change(filter, { $set: { status: 'claimed', tenant, operationId } }, () => ({ type: 'spare.claimed', tenant }));
      const isClaimed = (await claim({ ...ready, migrationsHash })) || (await claim(ready));
      return isClaimed ? findOne(mine) : null;
    },
    returnPreparedHome: (id, operationId) =>
      change(
        { _id: id, status: 'claimed', operationId },
        { $set: { status: 'ready', tenant: null }, $unset: { operationId: '' as const } },
        ({ tenant }) => ({ type: 'spare.returned', tenant }),
      ),
    forgetPreparedHome: (id) =>
      db.transact(async (session) => {
        const before = await preparedHomes.findOne({ _id: id }, { session });
        if (before === null) return;
        const ticked = await tick(db, 1);
        await preparedHomes.deleteOne({ _id: id }, { session });
        await recordEvents(db, session, ticked, [{ type: `${before.type}.forgotten`, tenant: before.tenant, data: dataOf(before) }]);
      }),
  };
}

/** What events tell of a home; what there is nothing to say about is left out. */
function dataOf({ _id, cluster, driver, name, schemaVersion, migrationsHash, host }: PreparedHomeDocument): Record<string, unknown> {
  const version = schemaVersion === null ? {} : { version: schemaVersion };
  return { id: _id, cluster, driver, name, host, ...version, ...(migrationsHash === null ? {} : { hash: migrationsHash }) };
}

type ReadHome = PreparedHomeDocument & { readonly isOverdue: boolean };

/** By the server's clock. */
const WITH_ABANDONED = {
  _id: 1,
  sequence: 1,
  type: 1,
  cluster: 1,
  driver: 1,
  name: 1,
  status: 1,
  schemaVersion: 1,
  migrationsHash: 1,
  tenant: 1,
  operationId: 1,
  host: 1,
  createdAt: 1,
  readyAt: 1,
  isOverdue: { $lte: ['$aliveUntil', '$$NOW'] },
} as const;

function toHome(document: ReadHome): PreparedHome {
  const { _id, schemaVersion, migrationsHash, host, createdAt, readyAt, cluster, name } = document;
  const status = document.status as PreparedHomeStatus;
  return {
    ...{ id: _id, cluster, name, status, schemaVersion, migrationsHash, host, createdAt, readyAt },
    type: document.type as PreparedHomeType,
    driver: document.driver as DriverName,
    tenant: document.tenant as TenantId | null,
    operationId: document.operationId ?? null,
    isAbandoned: document.isOverdue && (status === 'making' || status === 'dropping'),
  };
}
