import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import type { Registry } from '../../src/registry/registry.js';
import { createOwnTestMongo, mongoUrl, type TestMongo } from '../rig/mongodb.js';
import { change, lease, newTenant, uniqueId } from './registry-rig.js';

let mongo: TestMongo;
let client: MongoClient;
let registry: Registry;
beforeAll(async () => {
  mongo = await createOwnTestMongo();
  client = new MongoClient(mongo.url, { appName: 'rig' });
  const url = mongoUrl(mongo.url, `${mongo.namePrefix}_registry`);
  registry = await openRegistry({ url, create: true, applicationName: mongo.namePrefix });
});
afterAll(async () => {
  await registry.close();
  await client.close();
  await mongo.drop();
});

/** https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point */
async function failNext(times: number, failCommands: readonly string[], data: object): Promise<void> {
  await client.db('admin').command({
    configureFailPoint: 'failCommand',
    mode: { times },
    data: { failCommands, appName: mongo.namePrefix, ...data },
  });
}

const UNDONE = ['TransientTransactionError'];
const UNKNOWN = ['UnknownTransactionCommitResult'];

test.each<[string, readonly string[], object]>([
  ['a write conflict', ['update', 'insert'], { errorCode: 112, errorLabels: UNDONE }],
  ['a fail-over', ['find', 'update', 'insert', 'findAndModify'], { errorCode: 10107, closeConnection: false }],
  ['a primary that steps down', ['update', 'insert', 'findAndModify'], { errorCode: 189 }],
  ['a shutdown', ['findAndModify', 'find'], { errorCode: 11600 }],
  ['a transaction that was ended elsewhere', ['update'], { errorCode: 251, errorLabels: UNDONE }],
  ['a lock that took too long', ['update'], { errorCode: 24, errorLabels: UNDONE }],
  ['a limit of ours', ['update'], { errorCode: 50 }],
  ['a commit that was undone', ['commitTransaction'], { errorCode: 251, errorLabels: UNDONE }],
  ['a commit of which nobody knows', ['commitTransaction'], { errorCode: 91, errorLabels: ['RetryableWriteError', ...UNKNOWN] }],
  [
    'a commit whose majority is slow',
    ['commitTransaction'],
    { writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' }, errorLabels: UNKNOWN },
  ],
  ['a connection that is lost at the commit', ['commitTransaction'], { closeConnection: true }],
])('%s is tried again, and no work is done twice', async (_, commands, data) => {
  const id = uniqueId('retried');
  await failNext(2, commands, data);
  expect(await registry.registerTenants([newTenant(id)])).toMatchObject([{ isNew: true }]);
  await failNext(2, commands, data);
  const fence = await lease(registry, id, 'me');
  await failNext(2, commands, data);
  const activated = change(id, fence, { to: 'active', event: 'tenant.activated' });
  expect(await registry.updateTenants([activated])).toMatchObject([{ id, status: 'active' }]);
  await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
  const events = await registry.listEvents(id, { after: 0, limit: 9 });
  expect(events.map(({ type }) => type)).toEqual(['tenant.registered', 'tenant.activated']);
});

test.each([
  [13, 'TENANCY_REGISTRY_FORBIDDEN'],
  [18, 'TENANCY_REGISTRY_LOGIN_REFUSED'],
  [121, 'TENANCY_REGISTRY_FAILED'],
  [14031, 'TENANCY_REGISTRY_FAILED'],
])('error %i makes one attempt', async (errorCode, code) => {
  await failNext(1, ['findAndModify'], { errorCode });
  await expect(registry.registerTenants([newTenant(uniqueId('refused'))])).rejects.toMatchObject({ code });
});

test('what goes on failing in passing is given up after a while, and is worth trying again', async () => {
  await failNext(1_000_000, ['findAndModify'], { errorCode: 11600 });
  const start = performance.now();
  await expect(registry.registerTenants([newTenant(uniqueId('down'))])).rejects.toMatchObject({
    code: 'TENANCY_REGISTRY_UNREACHABLE',
    isRetryable: true,
  });
  expect(performance.now() - start).toBeLessThan(20_000);
  await failNext(1_000_000, ['update', 'insert'], { errorCode: 10107 });
  await expect(registry.updateTenants([change('x', null, {})])).resolves.toEqual([]);
  await expect(registry.registerTenants([newTenant(uniqueId('down'))])).rejects.toMatchObject({
    code: 'TENANCY_REGISTRY_READ_ONLY',
    exitCode: 6,
  });
  await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
}, 60_000);
