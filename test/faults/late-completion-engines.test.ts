import { createConnection } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import { checkInvariants } from '../rig/check-invariants.js';
import { until } from '../rig/gate.js';
import { createTestMongo } from '../rig/mongodb.js';
import { mysqlServer } from '../rig/mysql.js';
import { describeOn } from '../rig/require.js';
import { createSandboxProject, type Sandbox, type SandboxDriver, type SandboxProjectOptions } from '../rig/sandbox.js';
import { withMongo } from '../rig/sandbox-mongodb.js';
import { pendingMongodb } from './fixtures-mongodb.js';

const MIGRATE = ['tenant', 'migrate', 'acme'];
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function open(options: SandboxProjectOptions, serverUrl: string, driver: SandboxDriver): Promise<Sandbox> {
  const project = await createSandboxProject(options);
  ends.push(() => project.remove());
  const sandbox = await project.open(serverUrl, driver);
  ends.push(() => sandbox.drop());
  await sandbox.prepare(['acme']);
  return sandbox;
}

describeOn('mariadb', () => {
  describe('3 late completion: a statement that goes on after its client was killed', { timeout: 300_000 }, () => {
    const withSecond = (sql: string): SandboxProjectOptions => ({
      migrations: {
        '0001_accounts.sql': `CREATE TABLE counts (name varchar(100));
CREATE TABLE accounts (id int PRIMARY KEY);
INSERT INTO accounts VALUES (1), (2), (3), (4);
INSERT INTO counts VALUES ('0001_accounts');
`,
        '0002_late.sql': `INSERT INTO counts VALUES ('0002_late#1');\n${sql};\nINSERT INTO counts VALUES ('0002_late');\n`,
      },
      before: ['0001_accounts.sql'],
    });

    /** As long as the server shows it, or somebody waits behind it. */
    async function countRunning(sandbox: Sandbox, like: string): Promise<number> {
      const running = 'SELECT ID FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE ?';
      return (await sandbox.query(running, [`${sandbox.name}_acme`, like])).length;
    }

    async function assertOnce(sandbox: Sandbox, ...found: readonly string[]): Promise<void> {
      await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
      expect(await sandbox.readTenant('acme')).toEqual({ status: 'active', schema_version: '0002_late' });
      for (const sql of found) expect(await sandbox.query(sql.replaceAll('@@', `\`${sandbox.name}_acme\``))).toHaveLength(1);
    }

    it('an ALTER that waits for a reader is waited for, and not sent twice', async () => {
      const sandbox = await open(withSecond('ALTER TABLE accounts ADD COLUMN late int'), (await mysqlServer()).url, 'mysql-database');
      const reader = await createConnection({ uri: sandbox.homeUrl('acme') });
      ends.push(async () => reader.destroy());
      await reader.query('START TRANSACTION');
      await reader.query('SELECT * FROM accounts');
      const cli = await sandbox.start(MIGRATE);
      await until(async () => (await countRunning(sandbox, 'ALTER TABLE accounts%')) === 1, 'the ALTER to wait');
      cli.kill('SIGKILL');
      await cli.result;
      await sandbox.expireLeases();
      const again = await sandbox.start([...MIGRATE, '--lock-timeout', '30s']);
      await until(() => sandbox.isLeased('acme'), 'the recovery to begin');
      await reader.end();
      const result = await again.result;
      expect(result.exitCode, result.stderr).toBe(0);
      await assertOnce(sandbox, `SHOW COLUMNS FROM accounts FROM @@ LIKE 'late'`);
    });

    it('a CREATE TABLE … SELECT that takes seconds is taken up by runs that start at once', async () => {
      const sql = 'CREATE TABLE late AS SELECT id, SLEEP(0.5) AS slept FROM accounts';
      const sandbox = await open(withSecond(sql), (await mysqlServer()).url, 'mysql-database');
      const cli = await sandbox.start(MIGRATE);
      await until(async () => (await countRunning(sandbox, 'CREATE TABLE late%')) === 1, 'the table to be made');
      cli.kill('SIGKILL');
      await cli.result;
      await sandbox.expireLeases();
      const again = await Promise.all([1, 2, 3].map(() => sandbox.run(MIGRATE)));
      expect(
        again.map(({ exitCode }) => exitCode),
        again.map(({ stderr }) => stderr).join('\n'),
      ).toEqual([0, 0, 0]);
      await assertOnce(sandbox, 'SELECT COUNT(*) AS n FROM @@.late HAVING n = 4');
    });
  });
});

describe('3 late completion: an index of MongoDB that is built when the command is killed', { timeout: 300_000 }, () => {
  it('is found by runs that start at once', async () => {
    const mongo = await createTestMongo();
    ends.push(() => mongo.drop());
    const sandbox = await open(pendingMongodb, mongo.url, 'mongodb-database');
    const proxy = await sandbox.openProxy();
    const killed = await proxy.crash(() => sandbox.startThrough(proxy, MIGRATE), { request: /^createIndexes accounts$/, phase: 'during' });
    expect(killed.isKilled).toBe(true);
    await sandbox.expireLeases();
    const again = await Promise.all([1, 2, 3].map(() => sandbox.run(MIGRATE)));
    expect(
      again.map(({ exitCode }) => exitCode),
      again.map(({ stderr }) => stderr).join('\n'),
    ).toEqual([0, 0, 0]);
    await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
    const indexes = await withMongo(sandbox.url, (client) => client.db(`${sandbox.name}_acme`).collection('accounts').indexes());
    expect(indexes.map(({ name }) => name).sort()).toEqual(['_id_', 'name_1']);
  });
});
