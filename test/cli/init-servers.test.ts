import { expect, test } from 'vitest';
import type { InitDocument } from '../../src/commands/init/init-document.js';
import { assertDocument } from '../rig/events-schema.js';
import { createTestMongo, mongoUrl } from '../rig/mongodb.js';
import { createTestMysql } from '../rig/mysql.js';
import { canaryPassword } from '../rig/postgres.js';
import { describeOn } from '../rig/require.js';
import { manifest, useInitFolder } from './init-folder.js';

const { run, read, write, list, install } = useInitFolder();

async function init(...args: readonly string[]): Promise<InitDocument> {
  const { exitCode, stdout, stderr } = await run(['init', '--yes', '--json', ...args]);
  expect(exitCode, stderr).toBe(0);
  return assertDocument<InitDocument>('init', stdout.trim());
}

test.each([
  ['mysql://root@127.0.0.1:3306/', 'mysql-database', 'sql'],
  ['mariadb://root@127.0.0.1/', 'mysql-database', 'sql'],
  ['mongodb://127.0.0.1:27017/', 'mongodb-database', 'mjs'],
  ['mongodb://admin@a.example.com,b.example.com:27018/?replicaSet=rs0', 'mongodb-database', 'mjs'],
  ['mongodb+srv://cluster0.example.com/', 'mongodb-database', 'mjs'],
])('%s means %s, and is written as it is', async (url, driver, ending) => {
  expect(await init('--url', url)).toMatchObject({ driver, url, notes: [] });
  expect(await list()).toContain(`migrations/tenant/0001_accounts.${ending}`);
  await install();
  const printed = await run(['config', 'print', '--json']);
  expect(printed.exitCode, printed.stderr).toBe(0);
  expect(printed.stderr).toBe('');
});

test.each([
  [`mysql://root:${canaryPassword}@127.0.0.1/`, 'mysql-database', "export DATABASE_URL='mysql://…'"],
  [`mongodb://root:${canaryPassword}@a.example.com,b.example.com:27018/`, 'mongodb-database', "export DATABASE_URL='mongodb://…'"],
  [`mongodb+srv://root:${canaryPassword}@cluster0.example.com/`, 'mongodb-database', "export DATABASE_URL='mongodb://…'"],
  [`mongodb://a.example.com,b.example.com/?tlsCertificateKeyFilePassword=${canaryPassword}`, 'mongodb-database', undefined],
  [`mongodb://a.example.com/?authMechanismProperties=AWS_SESSION_TOKEN:${canaryPassword}`, 'mongodb-database', undefined],
])('a password is written nowhere, wherever a URL has it: %#', async (url, driver, next = expect.any(String)) => {
  const document = await init('--url', url);
  expect(document).toMatchObject({ driver, url: 'env:DATABASE_URL' });
  expect(document.next).toContainEqual(next);
  for (const file of await list()) expect(await read(file)).not.toContain(canaryPassword);
});

test.each(['mysql-database', 'mongodb-database'])('%s takes its server from a variable where no URL is given', async (driver) => {
  expect(await init('--driver', driver)).toMatchObject({ driver, url: 'env:DATABASE_URL' });
});

test.each([
  ['postgres-schema', 'mysql://root@127.0.0.1/app', '--driver mysql-database'],
  ['postgres-database', 'mongodb://127.0.0.1/app', '--driver mongodb-database'],
  ['mysql-database', 'embedded:data', '--driver postgres-schema or postgres-database'],
  ['mongodb-database', 'mysql://root@127.0.0.1/app', '--driver mysql-database'],
])('%s on %s is refused before anything is written', async (driver, url, advice) => {
  const { exitCode, stderr } = await run(['init', '--yes', '--driver', driver, '--url', url]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(`env:NAME for --driver ${driver}, or ${advice} for this one`);
  expect(await list()).toEqual([]);
});

const env = { ADMIN_URL: `mysql://root:${canaryPassword}@127.0.0.1/` };

test('a variable that is set tells which server it is', async () => {
  const { stdout } = await run(['init', '--yes', '--json', '--url', 'env:ADMIN_URL'], { env });
  expect(assertDocument<InitDocument>('init', stdout.trim())).toMatchObject({ driver: 'mysql-database', notes: [] });
});

test('a variable that has the URL of another server now is spoken of', async () => {
  const { stdout } = await run(['init', '--yes', '--json', '--url', 'env:ADMIN_URL', '--driver', 'mongodb-database'], { env });
  const document = assertDocument<InitDocument>('init', stdout.trim());
  expect(document.notes).toEqual(['ADMIN_URL is set to a server of another kind, and mongodb-database needs mongodb://…']);
  expect(document.next).toContain("export ADMIN_URL='mongodb://…'");
});

test.each([
  [{ dependencies: { mysql2: '3' } }, 'mysql-database', 'mysql2 is in package.json, so tenants are taken to be on MySQL or MariaDB'],
  [{ dependencies: { mongoose: '8' } }, 'mongodb-database', 'mongoose is in package.json, so tenants are taken to be on MongoDB'],
])('the libraries of a project tell its server: %j', async (content, driver, note) => {
  await write(manifest(content));
  const document = await init();
  expect(document).toMatchObject({ driver, url: 'env:DATABASE_URL' });
  expect(document.notes).toContain(`${note}; --driver says otherwise`);
});

test.each([
  [{ dependencies: { mysql2: '3', pg: '8' } }, {}],
  [{ dependencies: { mysql2: '3' } }, { 'prisma/schema.prisma': 'datasource db {\n  provider = "postgresql"\n}\n' }],
])('where they tell of several, the server is PostgreSQL, or what Prisma says: %j', async (content, files) => {
  await write({ ...manifest(content), ...files });
  expect(await init()).toMatchObject({ driver: 'postgres-schema', url: 'embedded:.tenancy/postgres', notes: [] });
});

test('the client library of MongoDB is asked for', async () => {
  await install();
  const document = await init('--driver', 'mongodb-database');
  expect(document.missing).toEqual(['mongodb']);
  expect(document.next[0]).toBe('npm i -D mongodb');
});

const sources = [
  [{}, '.mjs'],
  [{ type: 'module' }, '.js'],
  [{ type: 'module', devDependencies: { typescript: '5' } }, '.ts'],
  [{ type: 'commonjs', devDependencies: { typescript: '5' } }, '.mts'],
] as const;

describeOn('mongodb', () => {
  test.each(sources)('what it writes for MongoDB works as it is, there and back: %j', async (content, ending) => {
    const mongo = await createTestMongo();
    await write(manifest(content));
    await install('mongodb');
    const document = await init('--driver', 'mongodb-database');
    expect(document).toMatchObject({ missing: [] });
    expect(document.written).toContain(`migrations/tenant/0001_accounts${ending}`);
    await write({ [document.config]: (await read(document.config)).replace('`tenant_', `\`${mongo.namePrefix}_`) });
    await thereAndBack(mongoUrl(mongo.url, `${mongo.namePrefix}_registry`));
    await mongo.drop();
  });
});

describeOn('mariadb', () => {
  test('what it writes for MySQL works as it is, there and back', async () => {
    const mysql = await createTestMysql();
    await install();
    const document = await init('--driver', 'mysql-database');
    expect(document).toMatchObject({ missing: [] });
    await write({ [document.config]: (await read(document.config)).replace('`tenant_', `\`${mysql.name}_`) });
    await thereAndBack(mysql.url);
    await mysql.drop();
  });
});

async function thereAndBack(url: string): Promise<void> {
  const env = { DATABASE_URL: url };
  const doctor = await run(['doctor'], { env });
  expect(doctor.exitCode, doctor.stdout + doctor.stderr).toBe(0);
  const provisioned = await run(['tenant', 'provision', 'acme'], { env });
  expect(provisioned.exitCode, provisioned.stdout + provisioned.stderr).toBe(0);
  expect(provisioned.stdout).toContain('acme provisioned to 0001_accounts');
  const rolledBack = await run(['tenant', 'rollback', 'acme', '--to', 'none'], { env });
  expect(rolledBack.exitCode, rolledBack.stdout + rolledBack.stderr).toBe(0);
}
