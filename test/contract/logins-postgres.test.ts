import { Client } from 'pg';
import type { TenantTarget } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import type { DriverName } from '../../src/tenant.js';
import { createTestDatabase, type PostgresVersion, withDatabase } from '../rig/postgres.js';
import { sessionOptions } from './driver-suite.js';
import { describeLogins, type LoggedIn, type LoginsUnderTest } from './logins-suite.js';

async function open(version: PostgresVersion, name: Extract<DriverName, `postgres-${string}`>, asOwner: boolean): Promise<LoginsUnderTest> {
  const database = await createTestDatabase(version);
  const admin = asOwner ? await createAdmin(database) : database.url;
  const engine = await openClusterEngine({
    cluster: 'main',
    url: admin,
    maxConnections: 3,
    extensionsSchema: 'extensions',
    applicationName: 'logins',
  });
  const driver = engine.driver(name);
  return {
    engine,
    driver,
    name: (suffix) => `${database.name}_${suffix}`,
    put: (target, table, value) =>
      driver.withSession(target, sessionOptions(), async ({ db }) => {
        await db.query(`CREATE TABLE ${table} (value text)`);
        await db.query(`INSERT INTO ${table} VALUES ($1)`, [value]);
      }),
    open: logIn,
    createStranger: async (_target, role) => {
      await database.query(`CREATE ROLE ${role} LOGIN`);
    },
    dropStranger: async (_target, role) => {
      await database.query(`DROP ROLE ${role}`);
    },
    redirect: (url, _target, to) => (name === 'postgres-schema' ? url : withDatabase(url, to.name)),
    close: async () => {
      await database.query(`DO $$ DECLARE r text; BEGIN
        FOR r IN SELECT rolname FROM pg_roles WHERE rolname LIKE 't\\_all\\_%' AND shobj_description(oid, 'pg_authid') LIKE '%"${database.name}"%'
        LOOP EXECUTE format('DROP OWNED BY %I; DROP ROLE %I', r, r); END LOOP; END $$`);
      await database.drop();
    },
  };

  async function logIn(url: string): Promise<LoggedIn> {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    const placeOf = (target?: TenantTarget): string =>
      target === undefined ? '' : name === 'postgres-schema' ? `"${target.name}".` : `"${target.name}".public.`;
    return {
      values: async (table, of) => {
        const { rows } = await client.query<{ value: string }>(`SELECT value FROM ${placeOf(of)}${table} ORDER BY value`);
        return rows.map(({ value }) => value);
      },
      add: (table, value) => client.query(`INSERT INTO ${table} VALUES ($1)`, [value]),
      make: () => client.query('CREATE TABLE made (value text)'),
      close: () => client.end(),
    };
  }
}

/** As a team would: not a superuser, the owner of the one database, allowed to make databases and roles. */
async function createAdmin({ name, url, query }: Awaited<ReturnType<typeof createTestDatabase>>): Promise<string> {
  const role = `${name}_admin`;
  await query(`CREATE ROLE ${role} LOGIN CREATEDB CREATEROLE PASSWORD 'admin-password'`);
  await query(`ALTER DATABASE ${name} OWNER TO ${role}`);
  const parts = new URL(url);
  parts.username = role;
  parts.password = 'admin-password';
  return parts.href;
}

describeLogins('logins of postgres-schema, made by a superuser on PostgreSQL 18', () => open('18', 'postgres-schema', false));
describeLogins('logins of postgres-schema, made by the owner of the database on PostgreSQL 18', () => open('18', 'postgres-schema', true));
describeLogins('logins of postgres-schema, made by the owner of the database on PostgreSQL 15', () => open('15', 'postgres-schema', true));
describeLogins('logins of postgres-database, made by who may create databases on PostgreSQL 18', () =>
  open('18', 'postgres-database', true),
);
