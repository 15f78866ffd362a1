import { afterEach, expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import { REGISTRY_TABLES } from '../../src/registry/mysql/damage.js';
import { createTestMysql, queryMysql, type TestMysql } from '../rig/mysql.js';
import { withDatabase } from '../rig/postgres.js';
import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { describeOn } from '../rig/require.js';
import { expectNobodyListens, expectUrlRejected, refusal, withUser } from './registry-refusals-rig.js';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function makeDatabase(): Promise<TestMysql> {
  const database = await createTestMysql();
  ends.push(() => database.drop());
  return database;
}

async function makeUser(database: TestMysql): Promise<string> {
  const user = `${database.name}_user`;
  await database.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 's3cr3t-of-user'`);
  return user;
}

async function create(url: string): Promise<void> {
  await (await openRegistry({ url, create: true, applicationName: 'tenancy-test' })).close();
}

describeOn('mariadb', () => {
  test('a wrong password is not worth trying again', async () => {
    const database = await makeDatabase();
    const user = await makeUser(database);
    const error = await refusal(withUser(database.url, user, 's3cr3t-but-wrong'));
    expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_LOGIN_REFUSED', exitCode: 2, isRetryable: false });
    expect(error.message).toContain(user);
  });

  test('a database that the URL names and that is not there is named, and not made', async () => {
    const database = await makeDatabase();
    const name = `${database.name}_typo`;
    const error = await refusal(withDatabase(database.url, name));
    expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_DATABASE_MISSING', exitCode: 2 });
    expect(error.message).toContain(name);
    expect(await database.query('SHOW DATABASES LIKE ?', [name])).toEqual([]);
  });

  test('a server that does not listen is worth trying again', async () => {
    await expectNobodyListens('mysql');
  });

  test.each([
    ['mysql://u:s3cr3t-x@host:port/db', 'not a well-formed mysql:// URL'],
    ['mysql://u:s3cr3t-x@127.0.0.1/db?ssl-mode=maybe', 'its ssl-mode is not one of'],
    ['mysql://u:s3cr3t-x@127.0.0.1/db?multipleStatements=true', 'its option multipleStatements is not known'],
    ['mysql://u:s3cr3t-x@127.0.0.1/db?ssl-ca=/no/such/ca.pem', '/no/such/ca.pem'],
  ])('the URL %s is refused', expectUrlRejected);

  test('a server without TLS is told from one that is away, and is used where TLS is only preferred', async () => {
    const { url } = await makeDatabase();
    const error = await refusal(`${url}?ssl-mode=REQUIRED`);
    expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_URL_REJECTED', exitCode: 2 });
    expect(error.message).toContain('the server has none; ssl-mode=DISABLED in it does without');
    await create(`${url}?ssl-mode=PREFERRED`);
  });

  test('a user who may not make tables is told what to grant', async () => {
    const database = await makeDatabase();
    const user = await makeUser(database);
    const url = withUser(database.url, user, 's3cr3t-of-user');
    expect(await refusal(url)).toMatchObject({ code: 'TENANCY_REGISTRY_FORBIDDEN', exitCode: 2 });
    await database.query(`GRANT SELECT ON \`${database.name}\`.* TO '${user}'@'%'`);
    const error = await refusal(url);
    expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_FORBIDDEN', exitCode: 2 });
    const [, grant] = /(GRANT .*)$/.exec(error.hint ?? '') ?? [];
    expect(grant).toContain(`ON \`${database.name}\`.* TO '${user}'@'%'`);
    await database.query(grant ?? '');
    const registry = await openRegistry({ url, create: true, applicationName: 'tenancy-test' });
    expect(await registry.countTenants({})).toBe(0);
    await registry.checkTables();
    await registry.close();
  });

  test("tables of somebody else's by the same names are left alone", async () => {
    const database = await makeDatabase();
    await database.query('CREATE TABLE tenancy_events (n int)');
    await database.query('CREATE TABLE invoices (n int)');
    const error = await refusal(database.url);
    expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_SCHEMA_TAKEN', exitCode: 2 });
    expect(error.message).toContain('tenancy_events');
    expect(await database.query('SHOW TABLES')).toHaveLength(2);
    await database.query('DROP TABLE tenancy_events');
    await create(database.url);
  });

  test('one whose making was interrupted is finished by the next that makes it, and is no registry until then', async () => {
    const database = await makeDatabase();
    await create(database.url);
    for (const table of ['tenancy_events', 'tenancy_run_tenants', 'tenancy_runs']) await database.query(`DROP TABLE ${table}`);
    await database.query('UPDATE tenancy_registry_migrations SET applied_at = NULL');
    expect(await refusal(database.url, false)).toMatchObject({ code: 'TENANCY_REGISTRY_NOT_FOUND' });
    await create(database.url);
    const registry = await openRegistry({ url: database.url, create: false, applicationName: 'tenancy-test' });
    await registry.checkTables();
    await registry.close();
  });

  test('a damaged registry is told from none, and what is missing is named', async () => {
    const database = await makeDatabase();
    const registry = await openRegistry({ url: database.url, create: true, applicationName: 'tenancy-test' });
    const made = await database.query<{ name: string }>('SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?', [
      database.name,
    ]);
    expect(made.map(({ name }) => name).toSorted()).toEqual(REGISTRY_TABLES.toSorted());
    await registry.checkTables();
    await database.query('RENAME TABLE tenancy_events TO elsewhere');
    await database.query('DROP TABLE tenancy_steps');
    const damaged = { code: 'TENANCY_REGISTRY_DAMAGED', exitCode: 2, isRetryable: false };
    await expect(registry.checkCluster('main', 'x', { accept: false })).rejects.toMatchObject({
      ...damaged,
      details: { damage: `Table '${database.name}.tenancy_events' doesn't exist` },
      hint: expect.stringContaining('tenancy registry adopt'),
    });
    await expect(registry.checkTables()).rejects.toMatchObject({
      ...damaged,
      details: { damage: 'tenancy_steps, tenancy_events are missing' },
    });
    await database.query('ALTER TABLE tenancy_clusters DROP COLUMN identity');
    await expect(registry.checkCluster('main', 'x', { accept: false, dryRun: true })).rejects.toMatchObject(damaged);
    await database.query('DELETE FROM tenancy_registry');
    expect(await refusal(database.url)).toMatchObject(damaged);
    await database.query('DROP TABLE tenancy_registry');
    expect(await refusal(database.url)).toMatchObject(damaged);
    await database.query('DROP TABLE tenancy_registry_migrations');
    expect((await refusal(database.url)).message).toContain(
      'tenancy_registry_migrations, tenancy_registry, tenancy_steps, tenancy_events are missing',
    );
    await registry.close();
  });

  test('what the server fails with unforeseen is its own sentence, and worth trying again', async () => {
    const database = await makeDatabase();
    const registry = await openRegistry({ url: database.url, create: true, applicationName: 'tenancy-test' });
    await database.query(`ALTER TABLE tenancy_clusters ADD CONSTRAINT not_odd CHECK (identity <> 'odd')`);
    await expect(registry.checkCluster('main', 'odd', { accept: false })).rejects.toMatchObject({
      code: 'TENANCY_REGISTRY_FAILED',
      exitCode: 6,
      isRetryable: true,
      details: { sqlState: '23000', reason: expect.stringContaining('not_odd') },
    });
    // Nothing of that transaction stays, and the connection is of use again.
    expect(await registry.checkCluster('main', 'even', { accept: false })).toEqual({ status: 'new' });
    const events = await database.query('SELECT type FROM tenancy_events');
    expect(events).toHaveLength(1);
    await registry.close();
  });

  test('a registry of a newer tenancy-cli is refused, and left as it is', async () => {
    const database = await makeDatabase();
    await create(database.url);
    await database.query(`INSERT INTO tenancy_registry_migrations VALUES (9000, 'from_the_future', UTC_TIMESTAMP())`);
    const error = await refusal(database.url);
    expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_NEWER', exitCode: 2, details: { registryVersion: 9000 } });
  });

  test('a server that takes no writes says so', async () => {
    const server = await startPrivateMariadb();
    ends.push(() => server.stop());
    await queryMysql(server.url, 'CREATE DATABASE app');
    await queryMysql(server.url, `CREATE USER app IDENTIFIED BY 's3cr3t'`);
    await queryMysql(server.url, 'GRANT ALL ON app.* TO app');
    const url = withDatabase(withUser(server.url, 'app', 's3cr3t'), 'app');
    await create(url);
    const readOnly = { code: 'TENANCY_REGISTRY_READ_ONLY', exitCode: 6 };
    for (const [on, off] of [
      ['read_only = 1', 'read_only = 0'],
      ['tx_read_only = 1', 'tx_read_only = 0'],
    ]) {
      await queryMysql(server.url, `SET GLOBAL ${on}`);
      const reader = await openRegistry({ url, create: false, applicationName: 'tenancy-test' });
      await expect(reader.checkCluster('main', 'x', { accept: false })).rejects.toMatchObject(readOnly);
      await reader.close();
      await queryMysql(server.url, `SET GLOBAL ${off}`);
    }
  });

  test('without a database in the URL it lives in one called tenancy, which is made', async () => {
    const server = await startPrivateMariadb();
    ends.push(() => server.stop());
    expect(await refusal(server.url, false)).toMatchObject({ code: 'TENANCY_REGISTRY_NOT_FOUND' });
    const opened = await Promise.all(
      Array.from({ length: 4 }, () => openRegistry({ url: server.url, create: true, applicationName: 'tenancy-test' })),
    );
    expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
    expect(opened[0]?.where).toMatch(/^127\.0\.0\.1:\d+\/tenancy$/);
    await Promise.all(opened.map((each) => each.close()));
    const url = new URL(server.url);
    url.protocol = 'mariadb:';
    expect((await refusal(withUser(url.href, 'nobody', 's3cr3t'))).code).toBe('TENANCY_REGISTRY_LOGIN_REFUSED');
  });
});
