import { afterEach, expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import { REGISTRY_RELATIONS } from '../../src/registry/postgres/damage.js';
import { createTestDatabase, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { expectNobodyListens, expectUrlRejected, refusal, withUser } from './registry-refusals-rig.js';

const databases: TestDatabase[] = [];
afterEach(async () => {
  for (const database of databases.splice(0)) await database.drop();
});

async function makeDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  databases.push(database);
  return database;
}

async function makeRole(database: TestDatabase): Promise<string> {
  const role = `${database.name}_user`;
  await database.query(`CREATE ROLE "${role}" LOGIN PASSWORD 's3cr3t-of-role'`);
  return role;
}

test('a wrong password is not worth trying again', async () => {
  const database = await makeDatabase();
  const role = await makeRole(database);
  const error = await refusal(withUser(database.url, role, 's3cr3t-but-wrong'));
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_LOGIN_REFUSED', exitCode: 2, isRetryable: false });
  expect(error.message).toContain(role);
});

test('an unknown database is named', async () => {
  const database = await makeDatabase();
  const error = await refusal(withDatabase(database.url, 'no-such-database'));
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_DATABASE_MISSING', exitCode: 2 });
  expect(error.message).toContain('no-such-database');
});

test('a server that does not listen, or does not answer, is worth trying again', async () => {
  await expectNobodyListens('postgres');
});

test.each([
  ['redis://u:s3cr3t-x@host/db', 'redis: is not a kind of registry'],
  ['not a url', 'it is no URL'],
  ['postgres://u:s3cr3t-x@host:port/db', 'not a well-formed URL'],
])('the URL %s is refused', expectUrlRejected);

test('a server without TLS is told from one that is away', async () => {
  const { url } = await makeDatabase();
  const error = await refusal(`${url}?sslmode=require`);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_URL_REJECTED', exitCode: 2 });
  expect(error.message).toContain('the server has none; sslmode=disable in it does without');
});

test('a user who may not make a schema is told what to grant, and may use one that was made empty', async () => {
  const database = await makeDatabase();
  const role = await makeRole(database);
  const url = withUser(database.url, role, 's3cr3t-of-role');
  const error = await refusal(url);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_FORBIDDEN', exitCode: 2 });
  expect(error.hint).toContain(`GRANT CREATE ON DATABASE "${database.name}" TO "${role}"`);
  await database.query(`CREATE SCHEMA tenancy AUTHORIZATION "${role}"`);
  const registry = await openRegistry({ url, create: true, applicationName: 'tenancy-test' });
  expect(await registry.countTenants({})).toBe(0);
  await registry.close();
});

test("another user's registry is not for everybody who may log in", async () => {
  const database = await makeDatabase();
  const role = await makeRole(database);
  await (await openRegistry({ url: database.url, create: true, applicationName: 'tenancy-test' })).close();
  expect(await refusal(withUser(database.url, role, 's3cr3t-of-role'), false)).toMatchObject({ code: 'TENANCY_REGISTRY_FORBIDDEN' });
});

test('a schema of that name with tables of somebody else is left alone', async () => {
  const database = await makeDatabase();
  await database.query('CREATE SCHEMA tenancy');
  await database.query('CREATE TABLE tenancy.leases (id int)');
  expect(await refusal(database.url, false)).toMatchObject({ code: 'TENANCY_REGISTRY_NOT_FOUND' });
  expect(await refusal(database.url)).toMatchObject({ code: 'TENANCY_REGISTRY_SCHEMA_TAKEN', exitCode: 2 });
  expect(await database.query(`SELECT relname FROM pg_class WHERE relnamespace = 'tenancy'::regnamespace`)).toEqual([
    { relname: 'leases' },
  ]);
});

test('whatever table of it is missing is named, by opening it, by using it and by looking', async () => {
  const database = await makeDatabase();
  const registry = await openRegistry({ url: database.url, create: true, applicationName: 'tenancy-test' });
  const made = await database.query<{ relname: string }>(
    `SELECT relname FROM pg_class WHERE relnamespace = 'tenancy'::regnamespace AND relkind = 'r' ORDER BY 1`,
  );
  expect(made.map(({ relname }) => relname)).toEqual(REGISTRY_RELATIONS.filter((name) => name !== 'fences').toSorted());
  await registry.checkTables();
  await database.query('ALTER TABLE tenancy.events RENAME TO elsewhere');
  await database.query('DROP TABLE tenancy.steps');
  const damaged = { code: 'TENANCY_REGISTRY_DAMAGED', exitCode: 2, isRetryable: false };
  await expect(registry.checkCluster('main', 'x', { accept: false })).rejects.toMatchObject({
    ...damaged,
    details: { damage: 'relation "tenancy.events" does not exist' },
    hint: expect.stringContaining('tenancy registry adopt'),
  });
  await expect(registry.checkTables()).rejects.toMatchObject({
    ...damaged,
    details: { damage: 'tenancy.steps, tenancy.events are missing' },
  });
  await database.query('ALTER TABLE tenancy.clusters DROP COLUMN identity');
  await expect(registry.checkCluster('main', 'x', { accept: false, dryRun: true })).rejects.toMatchObject(damaged);
  await database.query('DELETE FROM tenancy.registry');
  expect(await refusal(database.url)).toMatchObject(damaged);
  await database.query('DROP TABLE tenancy.registry');
  expect((await refusal(database.url)).message).toContain('tenancy.registry, tenancy.steps, tenancy.events are missing');
  await registry.close();
});

test('what the server fails with unforeseen is its own sentence, and worth trying again', async () => {
  const database = await makeDatabase();
  const registry = await openRegistry({ url: database.url, create: true, applicationName: 'tenancy-test' });
  await database.query(`ALTER TABLE tenancy.clusters ADD CHECK (identity <> 'odd')`);
  await expect(registry.checkCluster('main', 'odd', { accept: false })).rejects.toMatchObject({
    code: 'TENANCY_REGISTRY_FAILED',
    exitCode: 6,
    isRetryable: true,
    details: { sqlState: '23514', reason: expect.stringContaining('violates check constraint') },
  });
  await registry.close();
});

test('a registry of a newer tenancy-cli is refused, and left as it is', async () => {
  const database = await makeDatabase();
  await (await openRegistry({ url: database.url, create: true, applicationName: 'tenancy-test' })).close();
  await database.query(`INSERT INTO tenancy.registry_migrations (version, name) VALUES (9000, 'from_the_future')`);
  const error = await refusal(database.url);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_NEWER', exitCode: 2, details: { registryVersion: 9000 } });
  expect(error.hint).toContain('tenancy-cli');
});

test('a server that takes no writes says so', async () => {
  const database = await makeDatabase();
  const registry = await openRegistry({ url: database.url, create: true, applicationName: 'tenancy-test' });
  await registry.close();
  await database.query(`ALTER DATABASE "${database.name}" SET default_transaction_read_only = on`);
  const reader = await openRegistry({ url: database.url, create: false, applicationName: 'tenancy-test' });
  await expect(reader.checkCluster('main', 'x', { accept: false })).rejects.toMatchObject({
    code: 'TENANCY_REGISTRY_READ_ONLY',
    exitCode: 6,
  });
  await reader.close();
});
