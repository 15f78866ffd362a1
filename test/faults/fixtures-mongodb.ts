import type { SandboxProjectOptions } from '../rig/sandbox.js';

/** What is run again after a kill leaves one document all the same; whatever is in a transaction would show that it ran twice. */
const rerunnable = (name: string, work: string): string => `export const rerunnable = true;
export async function up(db) {
  ${work}
  await db.collection('counts').updateOne({ _id: '${name}' }, { $set: { name: '${name}' } }, { upsert: true });
}
`;
const together = (name: string, work: string): string => `export const transaction = true;
export async function up(db, { session }) {
  ${work}
  await db.collection('counts').insertOne({ name: '${name}' }, { session });
}
`;

const migrations: Readonly<Record<string, string>> = {
  '0001_accounts.mjs': rerunnable(
    '0001_accounts',
    `for (const name of ['a', 'b', 'c']) await db.collection('accounts').updateOne({ _id: name }, { $set: { name } }, { upsert: true });`,
  ),
  '0002_plans.mjs': together('0002_plans', `await db.collection('plans').insertOne({ _id: 'none' }, { session });`),
  '0003_email.mjs': rerunnable(
    '0003_email',
    // By their names: what may be run again may also be run late, by whoever stood still before this one statement.
    `await db.collection('accounts').updateMany({ _id: { $in: ['a', 'b', 'c'] } }, { $set: { email: 'x@example.org' } });`,
  ),
  '0004_index.mjs': rerunnable('0004_index', `await db.collection('accounts').createIndex({ name: 1 }, { unique: true });`),
  '0005_module.mjs': together(
    '0005_module',
    `await db.collection('accounts').insertMany([{ _id: 'd', name: 'd' }, { _id: 'e', name: 'e' }], { session });
  await db.collection('plans').updateOne({ _id: 'none' }, { $inc: { seats: 1 } }, { session });`,
  ),
  '0006_notes.mjs': rerunnable(
    '0006_notes',
    `await db.createCollection('notes').catch((error) => { if (error.code !== 48) throw error; });`,
  ),
};

const seeds: Readonly<Record<string, string>> = {
  'plans.mjs': together('plans.mjs', `await db.collection('plans').insertMany([{ _id: 'free' }, { _id: 'pro' }], { session });`),
};

/** Prepared tenants have the first two migrations. */
export const pendingMongodb: SandboxProjectOptions = { migrations, before: ['0001_accounts.mjs', '0002_plans.mjs'] };
/** Prepared tenants have them all. */
export const completeMongodb: SandboxProjectOptions = { migrations, seeds };

/** Each tenant has a login of its own, and few requests are the migrations'. */
export const isolatedMongodb: SandboxProjectOptions = {
  migrations: { '0001_accounts.mjs': migrations['0001_accounts.mjs'] ?? '' },
  isIsolated: true,
};
