import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkInvariants } from '../rig/check-invariants.js';
import { mysqlServer } from '../rig/mysql.js';
import { postgresUrl } from '../rig/postgres.js';
import { describeOn } from '../rig/require.js';
import { createSandboxProject, type Sandbox, type SandboxDriver, type SandboxProject } from '../rig/sandbox.js';
import { type AppSession, openAppSession, readMeanwhile } from './lock-queue.js';
import { readRun, type ToldRun } from './read-run.js';
import { isWholeSweep } from './sweep.js';

const READ = 'SELECT count(*) FROM accounts';
const queries = { sql: READ, free: 'SELECT count(*) FROM counts' };
/**
 * What a reader may wait beyond the lock timeout, and beyond what one waited meanwhile that nobody was in the way of. In a sample other files'
 * servers want the processor too, in other moments than these.
 */
const SLACK_MS = isWholeSweep ? 100 : 300;
const RETRIES = 2;

const files = {
  '0001_accounts.sql': `CREATE TABLE counts (name varchar(100) NOT NULL);
CREATE TABLE accounts (id int PRIMARY KEY);
INSERT INTO accounts VALUES (1), (2), (3);
INSERT INTO counts VALUES ('0001_accounts');
`,
  '0002_email.sql': `ALTER TABLE accounts ADD COLUMN email varchar(100);
INSERT INTO counts VALUES ('0002_email');
`,
};
const steps = {
  ...files,
  '0002_email.sql': `-- tenancy: no-transaction
ALTER TABLE accounts ADD COLUMN email varchar(100);
INSERT INTO counts VALUES ('0002_email');
`,
};
const CONCURRENTLY = 'an index built concurrently';
const index = {
  ...files,
  '0002_email.sql': `-- tenancy: no-transaction
CREATE INDEX CONCURRENTLY accounts_id ON accounts (id);
INSERT INTO counts VALUES ('0002_email');
`,
};

/**
 * What waits for a lock holds up all who come after it, readers too, although they would get on with whoever has the lock: a forgotten
 * transaction and an ALTER TABLE together stop an application. A migration waits no longer than its lock timeout, lets those behind it
 * through, and tries again.
 */
function declare(
  serverUrl: () => Promise<string>,
  driver: SandboxDriver,
  lockTimeoutMs: number,
  kind: string,
  migrations: Readonly<Record<string, string>>,
): void {
  describe(`${kind} by ${driver}`, () => {
    let project: SandboxProject;
    let sandbox: Sandbox;
    let holder: AppSession;

    beforeAll(async () => {
      project = await createSandboxProject({ migrations, before: ['0001_accounts.sql'] });
      sandbox = await project.open(await serverUrl(), driver);
      await sandbox.prepare(['acme']);
      holder = await openAppSession(sandbox);
    });
    afterAll(async () => {
      await holder?.close();
      await sandbox?.drop();
      await project?.remove();
    });

    const migrate = async (): Promise<ToldRun> => {
      const args = ['tenant', 'migrate', 'acme', '--lock-timeout', `${lockTimeoutMs}ms`, '--retries', String(RETRIES), '--json'];
      return readRun(await sandbox.run(args));
    };

    it('readers wait no longer than the lock timeout while a transaction stays open, and the tenant fails as busy', async () => {
      await holder.send('BEGIN');
      // Such an index waits for those who have written alone.
      await holder.send(kind === CONCURRENTLY ? 'INSERT INTO accounts VALUES (4)' : READ);
      const [run, reads] = await readMeanwhile(sandbox, queries, lockTimeoutMs / 2, migrate);
      process.stdout.write(`lock queue, ${kind} by ${driver}: ${JSON.stringify({ reads, attempts: run.finished.failed[0]?.attempts })}\n`);
      expect(run.finished.failed[0]).toMatchObject({ attempts: RETRIES + 1, error: { code: 'TENANCY_LOCK_TIMED_OUT', retryable: true } });
      expect(reads.count).toBeGreaterThan(20);
      if (kind !== CONCURRENTLY) expect(reads.queued).toBeGreaterThan(0);
      expect(reads.slowestMs).toBeLessThan(lockTimeoutMs + reads.freeMs + SLACK_MS);
    });

    it('it gets through when the transaction ends between two attempts', async () => {
      const [run, reads] = await readMeanwhile(sandbox, queries, lockTimeoutMs / 2, async () => {
        const started = migrate();
        await delay(lockTimeoutMs * 1.5);
        await holder.send('ROLLBACK');
        return started;
      });
      expect(run.finished).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
      expect(reads.slowestMs).toBeLessThan(lockTimeoutMs + reads.freeMs + SLACK_MS);
      await holder.close();
      await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
    });
  });
}

describe('12 lock queue: a transaction forgotten on a table that a migration alters, under reads', { timeout: 120_000 }, () => {
  for (const driver of ['postgres-schema', 'postgres-database'] as const) {
    declare(() => postgresUrl(), driver, 400, 'a file that is a transaction', files);
    declare(() => postgresUrl(), driver, 400, 'a file of single statements', steps);
    declare(() => postgresUrl(), driver, 400, CONCURRENTLY, index);
  }
  describeOn('mariadb', () => {
    // It counts in seconds.
    declare(async () => (await mysqlServer()).url, 'mysql-database', 1_000, 'a file of single statements', files);
  });
});
