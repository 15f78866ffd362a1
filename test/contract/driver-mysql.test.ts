import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { expect } from 'vitest';
import { openClusterEngine } from '../../src/drivers/index.js';
import { createTestMysql } from '../rig/mysql.js';
import { describeOn } from '../rig/require.js';
import { type DriverUnderTest, describeDriver, type HomeWords } from './driver-suite.js';

const MAX_CONNECTIONS = 3;

const mysqlWords: HomeWords = {
  put: async ({ session }, table, value) => {
    await session.db.query(`CREATE TABLE \`${table}\` (value varchar(20)); INSERT INTO \`${table}\` VALUES ('${value}')`);
  },
  values: async ({ session }, table) =>
    (await session.db.query<{ value: string }>(`SELECT value FROM \`${table}\` WHERE value <> ? ORDER BY 1`, [''])).rows.map(
      ({ value }) => value,
    ),
  sleep: async ({ session }, seconds) => {
    await session.db.query(`SELECT SLEEP(${seconds})`);
  },
  countSleeping: async ({ session }, seconds) => {
    const { rows } = await session.db.query(
      `SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(${seconds})%' AND ID <> CONNECTION_ID()`,
    );
    return rows.length;
  },
  litter: async ({ session }) => {
    await session.db.query(
      `SET SESSION sort_buffer_size = 123456, sql_mode = 'ANSI_QUOTES', time_zone = '+07:00'; SET @mine = 1; SET NAMES latin1; SELECT GET_LOCK('left', 0);
       CREATE TEMPORARY TABLE leftover (id int); PREPARE left_over FROM 'SELECT 1'; CREATE TABLE locked (id int); LOCK TABLES locked WRITE`,
    );
  },
  findLitter: async ({ session }) => {
    const { rows } = await session.db.query<{ left_over: string }>(
      `SELECT 'a setting' AS left_over FROM DUAL WHERE @@sort_buffer_size = 123456 OR @@time_zone = '+07:00' OR @@sql_mode LIKE '%ANSI_QUOTES%'
       UNION ALL SELECT 'a character set' FROM DUAL WHERE @@character_set_client <> 'utf8mb4' OR @@character_set_results <> 'utf8mb4'
       UNION ALL SELECT 'a variable' FROM DUAL WHERE @mine IS NOT NULL
       UNION ALL SELECT 'a lock' FROM DUAL WHERE IS_USED_LOCK('left') IS NOT NULL`,
    );
    const found = rows.map(({ left_over }) => left_over);
    const answers = async (sql: string): Promise<boolean> =>
      session.db.query(sql).then(
        () => true,
        () => false,
      );
    if (await answers('SELECT * FROM leftover')) found.push('a table');
    if (await answers('EXECUTE left_over')) found.push('a statement');
    // Under LOCK TABLES nothing else may be used.
    if (!(await answers('SELECT COUNT(*) FROM mysql.user'))) found.push('locked tables');
    return found;
  },
  failHalfWay: async ({ session }, table, value) =>
    session.db.query(`INSERT INTO ${table} VALUES ('${value}'); INSERT INTO ${table} VALUES ('much too long for that column')`),
};

async function open(): Promise<DriverUnderTest> {
  const database = await createTestMysql();
  const user = `${database.name}_admin`;
  await database.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'canary-suite'`);
  await database.query(`GRANT ALL PRIVILEGES ON *.* TO '${user}'@'%' WITH GRANT OPTION`);
  const url = new URL(database.url);
  url.username = user;
  url.password = 'canary-suite';
  url.pathname = '/';
  const engine = await openClusterEngine({
    cluster: 'main',
    url: url.href,
    maxConnections: MAX_CONNECTIONS,
    extensionsSchema: 'extensions',
    applicationName: 'contract',
  });
  // On a connection of its own that stays open, so that counting is quick enough to see a moment too many.
  const watcher = await createConnection({ uri: database.url });
  return {
    engine,
    driver: engine.driver('mysql-database'),
    maxConnections: MAX_CONNECTIONS,
    name: (suffix) => `${database.name}_${suffix}`,
    createUnmarked: async (home) => {
      await watcher.query('CREATE DATABASE ??', [home]);
    },
    countConnections: async () => {
      const [rows] = await watcher.query<RowDataPacket[]>('SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = ?', [
        user,
      ]);
      return Number(rows[0]?.n);
    },
    nameEndings: ['a_b', 'aXb', 'with-dash', 'tägliche_ämter', '日本語', 'x'.repeat(64 - database.name.length - 1)],
    words: mysqlWords,
    close: async () => {
      await watcher.end();
      await database.drop();
      expect(await database.query('SELECT 1').catch(() => 'gone')).toBe('gone');
    },
  };
}

describeOn('mariadb', () => describeDriver('the driver for databases of MariaDB', open));
