import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { openClusterEngine } from '../../src/drivers/index.js';
import { createTestMysql } from '../rig/mysql.js';
import { withDatabase } from '../rig/postgres.js';
import { describeOn } from '../rig/require.js';
import { sessionOptions } from './driver-suite.js';
import { describeLogins, type LoggedIn, type LoginsUnderTest } from './logins-suite.js';

async function open(): Promise<LoginsUnderTest> {
  const database = await createTestMysql();
  const engine = await openClusterEngine({
    cluster: 'main',
    url: database.url,
    maxConnections: 3,
    extensionsSchema: 'extensions',
    applicationName: 'logins',
  });
  const driver = engine.driver('mysql-database');
  return {
    engine,
    driver,
    name: (suffix) => `${database.name}_${suffix}`,
    put: (target, table, value) =>
      driver.withSession(target, sessionOptions(), async ({ db }) => {
        await db.query(`CREATE TABLE ${table} (value varchar(80)); INSERT INTO ${table} VALUES ('${value}')`);
      }),
    open: logIn,
    createStranger: async (_target, user) => {
      await database.query(`CREATE USER '${user}'@'%'`);
    },
    dropStranger: async (_target, user) => {
      await database.query(`DROP USER '${user}'@'%'`);
    },
    redirect: (url, _target, to) => withDatabase(url, to.name),
    close: () => database.drop(),
  };
}

async function logIn(url: string): Promise<LoggedIn> {
  const connection = await createConnection({ uri: url });
  connection.on('error', () => undefined);
  return {
    values: async (table, of) => {
      const [rows] = await connection.query<RowDataPacket[]>(`SELECT value FROM ${of ? `\`${of.name}\`.` : ''}${table} ORDER BY value`);
      return rows.map((row) => String(row['value']));
    },
    add: (table, value) => connection.query(`INSERT INTO ${table} VALUES (?)`, [value]),
    make: () => connection.query('CREATE TABLE made (value text)'),
    close: async () => connection.destroy(),
  };
}

describeOn('mariadb', () => describeLogins('logins of mysql-database', open));
