import type { Filter } from 'mongodb';
import type { DriverName, TenantId } from '../../tenant.js';
import type { PreparedHome, PreparedHomeBook, PreparedHomeStatus, PreparedHomeType } from '../prepared-homes.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import type { PreparedHomeDocument } from './documents.js';
import { codeOf } from './failures.js';
import { tick } from './tick.js';

const DUPLICATE_KEY = 11_000;

/** Each change is one write of one document, which the server carries out for one at a time; none needs a transaction. */
export function createPreparedHomeBook(db: RegistryConnection): PreparedHomeBook {
  const { preparedHomes } = db.collections;
  const until = (ttlMs: number) => ({ $add: ['$$NOW', ttlMs] });
  const after = { returnDocument: 'after' } as const;
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

  return {
    enterPreparedHomes: async (homes, { owner, host, ttlMs }) => {
      if (homes.length === 0) return [];
      const { now, first } = await db.send(() => tick(db, homes.length));
      const rest = { status: 'making', schemaVersion: null, migrationsHash: null, tenant: null, owner, host } as const;
      const documents = homes.map(({ id, type, cluster, driver, name }, index): PreparedHomeDocument => {
        const times = { aliveUntil: new Date(now.getTime() + ttlMs), createdAt: now, readyAt: null };
        return { _id: id, sequence: first + index, type, cluster, driver, name, ...rest, ...times };
      });
      await db.send(() =>
        preparedHomes.insertMany(documents, { ordered: false }).catch((error: unknown) => {
          if (codeOf(error) !== DUPLICATE_KEY) throw error;
        }),
      );
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
      const taken = await db.send(() => preparedHomes.findOneAndUpdate(matching, [{ $set: set }], after));
      return taken === null ? null : findOne({ _id: id });
    },
    finishPreparedHome: async (id, { owner, schemaVersion, migrationsHash }) => {
      const set = { status: 'ready', schemaVersion: { $literal: schemaVersion }, migrationsHash, readyAt: '$$NOW', tenant: null };
      const mine: Filter<PreparedHomeDocument> = { _id: id, owner, status: { $in: ['making', 'ready'] } };
      return (await db.send(() => preparedHomes.findOneAndUpdate(mine, [{ $set: set }, { $unset: 'operationId' }], after))) !== null;
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
        db.send(() =>
          preparedHomes.findOneAndUpdate(filter, { $set: { status: 'claimed', tenant, operationId } }, { ...after, sort: { sequence: 1 } }),
        );
      const claimed = (await claim({ ...ready, migrationsHash })) ?? (await claim(ready));
      return claimed === null ? null : findOne(mine);
    },
    returnPreparedHome: async (id, operationId) => {
      const mine: Filter<PreparedHomeDocument> = { _id: id, status: 'claimed', operationId };
      const change = { $set: { status: 'ready', tenant: null }, $unset: { operationId: '' as const } };
      return (await db.send(() => preparedHomes.findOneAndUpdate(mine, change, after))) !== null;
    },
    forgetPreparedHome: async (id) => {
      await db.send(() => preparedHomes.deleteOne({ _id: id }));
    },
  };
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
