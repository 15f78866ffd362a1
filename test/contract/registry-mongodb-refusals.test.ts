import { once } from 'node:events';
import net from 'node:net';
import { MongoClient } from 'mongodb';
import { afterEach, expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import type { Registry } from '../../src/registry/registry.js';
import { startStandIn } from '../rig/mongodb/server.js';
import { mongoUrl } from '../rig/mongodb.js';
import { createMongodbSubject, type MongodbSubject } from './registry-mongodb-rig.js';
import { expectNobodyListens, expectUrlRejected, refusal } from './registry-refusals-rig.js';
import { change, register } from './registry-rig.js';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Subject extends MongodbSubject {
  /** Of the server's root, for what the test itself does. */
  readonly client: MongoClient;
  open(url?: string, create?: boolean): Promise<Registry>;
}

async function makeSubject(): Promise<Subject> {
  const subject = await createMongodbSubject();
  ends.push(() => subject.drop());
  const client = new MongoClient(subject.url, { appName: 'rig' });
  ends.push(() => client.close());
  const { applicationName } = subject;
  const open = async (url = subject.url, create = true): Promise<Registry> => {
    const registry = await openRegistry({ url, create, applicationName });
    ends.push(() => registry.close());
    return registry;
  };
  return { ...subject, client, open };
}

async function makeUser({ client, mongo, database }: Subject, roles: readonly object[]): Promise<string> {
  const user = `${mongo.namePrefix}_user`;
  await client.db(database).command({ createUser: user, pwd: 's3cr3t-of-user', roles });
  return mongoUrl(mongo.url, database, { user, password: 's3cr3t-of-user' });
}

test('a wrong password is not worth trying again', async () => {
  const { mongo, database } = await makeSubject();
  const error = await refusal(mongoUrl(mongo.url, database, { user: 'nobody', password: 's3cr3t-but-wrong' }));
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_LOGIN_REFUSED', exitCode: 2, isRetryable: false });
});

test('a missing password is asked for', async () => {
  const { url } = await makeSubject();
  const open = new URL(url);
  open.username = '';
  open.password = '';
  const error = await refusal(open.href);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_LOGIN_REFUSED', exitCode: 2 });
  expect(error.message).toContain('it wants a login, and registry.url has none');
});

test('a server that does not listen is worth trying again, and told at once', async () => {
  const start = performance.now();
  await expectNobodyListens('mongodb');
  expect(performance.now() - start).toBeLessThan(3_000);
});

test('a host that is unknown is named', async () => {
  const error = await refusal('mongodb://u:s3cr3t-x@no-such-host.invalid/app');
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_UNREACHABLE', exitCode: 6 });
  expect(error.message).toContain("no-such-host.invalid/app can't be reached: the host's name can't be resolved");
});

test.each([
  ['mongodb://u:s3cr3t-x@host:port/db', 'not a well-formed URL'],
  ['mongodb://u:s3cr3t-x@host/db?tls=maybe', 'tls'],
  ['mongodb://u:s3cr3t-x@host/db?nonsense=1', 'nonsense'],
  ['mongodb://u:s3cr3t-x@host/admin', "the server's own; name another, with ?authSource=admin"],
])('the URL %s is refused', expectUrlRejected);

test('a server without TLS is told from one that is away', async () => {
  // What mongod does with a TLS greeting that it doesn't expect.
  const listener = net.createServer((socket) => socket.once('data', () => socket.destroy())).listen(0, '127.0.0.1');
  ends.push(() => new Promise((resolve) => listener.close(() => resolve())));
  await once(listener, 'listening');
  const { port } = listener.address() as net.AddressInfo;
  const error = await refusal(`mongodb://127.0.0.1:${port}/db?tls=true`);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_URL_REJECTED', exitCode: 2 });
  expect(error.message).toContain('tls=false in it does without');
});

test('a replica set that nobody there is of is named', async () => {
  const { mongo } = await makeSubject();
  const error = await refusal(`mongodb://${new URL(mongo.url).host}/db?replicaSet=other`);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_UNREACHABLE' });
  expect(error.message).toContain('no server of the replica set other answered in time');
}, 20_000);

test.each([
  ['standalone', 'it is a single server, outside of a replica set'],
  ['not-initiated', 'its replica set has not been initiated'],
] as const)('a server without transactions (%s) is refused, and told from one that is away', async (member, reason) => {
  const server = await startStandIn({ member });
  ends.push(() => server.stop());
  const error = await refusal(`mongodb://127.0.0.1:${server.port}/?directConnection=true`);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_NO_TRANSACTIONS', exitCode: 2, isRetryable: false });
  expect(error.message).toBe(
    `a registry needs transactions, which the MongoDB server at 127.0.0.1:${server.port}/tenancy doesn't have: ${reason}`,
  );
  expect(error.hint).toContain('rs.initiate()');
});

test('a user who may not write there is told what to grant, and may then', async () => {
  const subject = await makeSubject();
  const url = await makeUser(subject, []);
  const error = await refusal(url);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_FORBIDDEN', exitCode: 2 });
  expect(error.hint).toContain("['readWrite']");
  const { client, database, mongo, open } = subject;
  await client.db(database).command({ grantRolesToUser: `${mongo.namePrefix}_user`, roles: ['readWrite'] });
  const registry = await open(url);
  await register(registry, 'acme');
  expect(await registry.countTenants({})).toBe(1);
});

test('who may only read is told so by what writes', async () => {
  const subject = await makeSubject();
  await register(await subject.open(), 'acme');
  const reader = await subject.open(await makeUser(subject, [{ role: 'read', db: subject.database }]), false);
  expect(await reader.countTenants({})).toBe(1);
  await expect(reader.updateTenants([change('acme', null, { to: 'active' })])).rejects.toMatchObject({
    code: 'TENANCY_REGISTRY_FORBIDDEN',
  });
});

test('collections of somebody else are no hindrance, and are left alone where they have our names', async () => {
  const { client, database, url, open } = await makeSubject();
  const db = client.db(database);
  await db.createCollection('tenants');
  await db.createCollection('tenancy.leases');
  expect(await refusal(url, false)).toMatchObject({ code: 'TENANCY_REGISTRY_NOT_FOUND' });
  const error = await refusal(url);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_SCHEMA_TAKEN', exitCode: 2 });
  expect(error.message).toContain('what is called tenancy.leases');
  expect((await db.listCollections().toArray()).map(({ name }) => name).sort()).toEqual(['tenancy.leases', 'tenants']);
  await db.dropCollection('tenancy.leases');
  expect(await (await open()).countTenants({})).toBe(0);
});

test('one of which nothing but the collection of its lock is to be seen yet is gone on with', async () => {
  const { client, database, url, open } = await makeSubject();
  await client.db(database).createCollection('tenancy.registry_migrations');
  expect(await refusal(url, false)).toMatchObject({ code: 'TENANCY_REGISTRY_NOT_FOUND' });
  const [one, other] = await Promise.all([open(), open()]);
  expect(one.id).toBe(other.id);
});

test('one whose maker died on the way is finished by the next', async () => {
  const { client, database, url, open } = await makeSubject();
  const db = client.db(database);
  await db
    .collection<{ _id: string }>('tenancy.registry_migrations')
    .insertOne({ _id: 'lock', owner: null, expiresAt: new Date(0) } as never);
  for (const name of ['registry', 'clusters', 'counters', 'tenants']) await db.createCollection(`tenancy.${name}`);
  expect(await refusal(url, false)).toMatchObject({ code: 'TENANCY_REGISTRY_NOT_FOUND' });
  const registry = await open();
  await register(registry, 'acme');
  await registry.checkTables();
});

test('whatever collection of it is missing is named, by opening it and by looking', async () => {
  const { client, database, url, open } = await makeSubject();
  const db = client.db(database);
  const registry = await open();
  await registry.checkTables();
  await db.dropCollection('tenancy.events');
  await db.dropCollection('tenancy.steps');
  const damaged = { code: 'TENANCY_REGISTRY_DAMAGED', exitCode: 2, isRetryable: false };
  const details = { damage: 'tenancy.steps, tenancy.events are missing' };
  await expect(registry.checkTables()).rejects.toMatchObject({
    ...damaged,
    details,
    hint: expect.stringContaining('tenancy registry adopt'),
  });
  expect(await refusal(url, false)).toMatchObject({ ...damaged, details });
  await db.collection<{ _id: string }>('tenancy.counters').deleteMany({});
  await expect(register(registry, 'acme')).rejects.toMatchObject({
    ...damaged,
    details: { damage: 'tenancy.counters has lost its document' },
  });
  await db.collection('tenancy.registry').deleteMany({});
  expect(await refusal(url)).toMatchObject(damaged);
  await db.dropCollection('tenancy.registry_migrations');
  await db.dropCollection('tenancy.registry');
  expect((await refusal(url)).message).toContain(
    'tenancy.registry_migrations, tenancy.registry, tenancy.steps, tenancy.events are missing',
  );
});

test('one that has lost its document alone is told from one that never was', async () => {
  const { client, database, url, open } = await makeSubject();
  await open();
  await client.db(database).collection('tenancy.registry').deleteMany({});
  const error = await refusal(url);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_DAMAGED', details: { damage: 'tenancy.registry has lost its document' } });
});

test('what the server fails with unforeseen is its own sentence, and worth trying again', async () => {
  const { client, database, open } = await makeSubject();
  const registry = await open();
  await client.db(database).command({ collMod: 'tenancy.clusters', validator: { identity: { $ne: 'odd' } } });
  await expect(registry.checkCluster('main', 'odd', { accept: false })).rejects.toMatchObject({
    code: 'TENANCY_REGISTRY_FAILED',
    exitCode: 6,
    isRetryable: true,
    details: { serverCode: '121', reason: expect.stringContaining('failed validation') },
  });
});

test('a tenant that no tenancy-cli would write is refused by the server', async () => {
  const { client, database, open } = await makeSubject();
  const registry = await open();
  await register(registry, 'acme');
  const tenants = client.db(database).collection<{ _id: string }>('tenancy.tenants');
  await expect(tenants.updateOne({ _id: 'acme' }, { $set: { status: 'gone' } })).rejects.toMatchObject({ code: 121 });
});

test('a registry of a newer tenancy-cli is refused, and left as it is', async () => {
  const { client, database, url, open } = await makeSubject();
  await open();
  await client
    .db(database)
    .collection<{ _id: string }>('tenancy.registry')
    .updateOne({ _id: 'registry' }, { $set: { version: 9000 } });
  const error = await refusal(url);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_NEWER', exitCode: 2, details: { registryVersion: 9000 } });
  expect(error.hint).toContain('tenancy-cli');
});
