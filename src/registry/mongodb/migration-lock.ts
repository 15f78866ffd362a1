import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RegistryConnection } from './connection.js';

const POLL_MS = 50;
/** Whoever died in the middle is waited for no longer. Commands bear being sent twice, so that who was only slow does no harm. */
const HELD_MS = 30_000;

/** Of many first uses at once one does the work, and the others find it done. A document, since MongoDB has no locks to ask for. */
export async function withMigrationLock<T>(db: RegistryConnection, work: () => Promise<T>): Promise<T> {
  const { migrations } = db.collections;
  const owner = randomUUID();
  await db.send(() => migrations.updateOne({ _id: 'lock' }, { $setOnInsert: { owner: null, expiresAt: new Date(0) } }, { upsert: true }));
  while (!(await take(db, owner))) await delay(POLL_MS);
  try {
    return await work();
  } finally {
    await db.send(() => migrations.updateOne({ _id: 'lock', owner }, { $set: { owner: null } }));
  }
}

async function take({ collections, send }: RegistryConnection, owner: string): Promise<boolean> {
  const isFree = [{ owner: null }, { owner }, { $expr: { $lte: ['$expiresAt', '$$NOW'] } }];
  const taken = { owner: { $literal: owner }, expiresAt: { $add: ['$$NOW', HELD_MS] } };
  const found = await send(() => collections.migrations.findOneAndUpdate({ _id: 'lock', $or: isFree }, [{ $set: taken }]));
  return found !== null;
}
