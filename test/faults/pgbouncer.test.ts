import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkInvariants } from '../rig/invariants.js';
import { type Pgbouncer, startPgbouncer } from '../rig/pgbouncer.js';
import { query, withDatabase } from '../rig/postgres.js';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { describeOn } from '../rig/require.js';
import { createSandboxProject, type Sandbox, type SandboxDriver, type SandboxProject } from '../rig/sandbox.js';
import { byDriver, complete, deprovision, migrate, pending, pooled as pooledHomes, provision } from './fixtures.js';
import { findLeaks, openSessions } from './pooled-sessions.js';
import { race } from './race.js';
import { readRun, type ToldRun } from './read-run.js';
import { assertEnd, checksumBystanders, isWholeSweep, type SweptCommand, sampleOf, seed, sweep } from './sweep.js';

const first = { '0001_accounts.sql': 'CREATE TABLE accounts (id bigint PRIMARY KEY);\n' };

/** The lease, what a takeover may take beyond it, and the work on a machine that is busy with everything else. */
const TAKEOVER_MS = 20_000 + 15_000;

/** Registry and cluster both through the pooler, whose few sessions all clients share. */
describeOn('pgbouncer', () => {
  describe('8 PgBouncer in transaction mode', { timeout: isWholeSweep ? 3_600_000 : 480_000 }, () => {
    let server: PrivateServer;
    let bouncer: Pgbouncer;
    let whole: SandboxProject;
    let behind: SandboxProject;

    beforeAll(async () => {
      [server, whole, behind] = await Promise.all([
        startPrivateServer('18'),
        createSandboxProject(complete),
        createSandboxProject(pending),
      ]);
      bouncer = await startPgbouncer(server.url);
      process.stdout.write(`behind PgBouncer, seed ${seed}\n`);
    });
    afterAll(async () => {
      await bouncer?.stop();
      await Promise.all([whole?.remove(), behind?.remove(), server?.stop()]);
    });

    const pooled = (project: SandboxProject): SandboxProject => ({
      ...project,
      open: async (serverUrl, driver) => {
        const sandbox = await project.open(serverUrl, driver, bouncer.url);
        const prepare = async (ids: readonly string[]): Promise<void> => {
          await sandbox.prepare(ids);
          await openSessions(sandbox, bouncer.url);
        };
        return { ...sandbox, prepare };
      },
    });
    const projectOf = (command: SweptCommand): SandboxProject => pooled(command === migrate ? behind : whole);

    async function assertNothingLeaked(sandbox: Sandbox): Promise<void> {
      expect(await findLeaks(sandbox, bouncer.url)).toEqual([]);
      // Those in reserve would be taken for sessions that a command has left open.
      await bouncer.closeSessions(sandbox.name);
    }

    it.concurrent.for(sampleOf(byDriver([provision, migrate, deprovision]), 2))(
      'crash sweep: $command.name by $driver converges and leaves nothing in a session',
      async ({ driver, command }, { task }) => {
        const result = await sweep(projectOf(command), server.url, driver, command, {
          settle: assertNothingLeaked,
          oneOf: isWholeSweep ? 5 : 15,
          isWhole: false,
        });
        task.meta.points = { tried: result.points, converged: result.converged };
        expect(result.failures).toEqual([]);
        expect(result.points).toBeGreaterThan(1);
        expect(result.takeovers).toBeGreaterThan(0);
        expect(result.slowestTakeoverMs).toBeLessThan(TAKEOVER_MS);
      },
    );

    it.each(byDriver([provision, migrate, deprovision]))(
      'race: one of eight does $command.name by $driver',
      async ({ driver, command }) => {
        const sandbox = await projectOf(command).open(server.url, driver);
        try {
          await sandbox.prepare(command.prepared);
          const bystanders = await checksumBystanders(sandbox, command);
          await race(sandbox, command);
          await assertNothingLeaked(sandbox);
          await assertEnd(sandbox, command, bystanders);
        } finally {
          await sandbox.drop();
        }
      },
    );

    /** One file, migrated by the command, by what it told and what it left in the sessions of others. */
    async function migrateWith(driver: SandboxDriver, file: string, content: string): Promise<ToldRun['finished']> {
      const project = await createSandboxProject({ migrations: { ...first, [file]: content }, before: Object.keys(first) });
      const sandbox = await pooled(project).open(server.url, driver);
      try {
        await sandbox.prepare(['acme']);
        const { finished } = readRun(await sandbox.run(['tenant', 'migrate', 'acme', '--json']));
        await assertNothingLeaked(sandbox);
        await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url, unfinished: finished.failed.map(({ tenant }) => tenant) });
        return finished;
      } finally {
        await sandbox.drop();
        await project.remove();
      }
    }

    it('what a client leaves in a session is met by the next, and found', async () => {
      const sandbox = await pooled(whole).open(server.url, 'postgres-schema');
      try {
        await openSessions(sandbox, bouncer.url);
        for (const sql of ["SET lock_timeout = '7s'", 'SELECT pg_advisory_lock(7)', 'PREPARE p AS SELECT 1', 'CREATE TEMP TABLE t ()'])
          await query(withDatabase(bouncer.url, sandbox.name), sql);
        const leaks = (await findLeaks(sandbox, bouncer.url)).join('\n');
        for (const word of ['lock_timeout = 7000', 'an advisory lock', 'prepared statement p', 'temporary tables'])
          expect(leaks).toContain(word);
      } finally {
        await sandbox.drop();
      }
    });

    it.each([
      [
        '0002_settings.sql',
        "SET statement_timeout = '7s';\nCREATE TEMP TABLE t (id int);\nPREPARE p AS SELECT 1;\nLISTEN l;\nSELECT pg_advisory_lock(7);\n",
      ],
      ['0002_settings.sql', '-- tenancy: no-transaction\nSELECT pg_advisory_lock(7);\nCREATE INDEX CONCURRENTLY i ON accounts (id);\n'],
      [
        '0002_settings.mjs',
        "export const up = (db) => db.query(`SET statement_timeout = '7s'; SELECT pg_advisory_lock(7); CREATE TEMP TABLE t (id int)`);\n",
      ],
    ])('%s, which changes its session, keeps that to itself: %j', async (file, content) => {
      for (const driver of ['postgres-schema', 'postgres-database'] as const) {
        expect(await migrateWith(driver, file, content)).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
      }
    });

    it('what a failed file has taken goes with its rollback', async () => {
      const finished = await migrateWith(
        'postgres-schema',
        '0002_fails.sql',
        'SELECT pg_advisory_lock(7);\nPREPARE p AS SELECT 1;\nSELECT 1/0;\n',
      );
      expect(finished.failed[0]?.error).toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
        message: expect.stringContaining('division by zero'),
      });
    });

    it('a query that needs the session behind it is refused, and by what it was, said', async () => {
      const alone = (sql: string): string =>
        `export const transaction = false;\nexport const up = (db) => db.query(${JSON.stringify(sql)});\n`;
      for (const [sql, what] of [
        ['CREATE INDEX CONCURRENTLY i ON accounts (id)', "what can't be in a transaction"],
        ["SET statement_timeout = '7s'", 'SET without LOCAL'],
        ['SELECT pg_advisory_lock(7)', 'pg_advisory_lock'],
        ['LISTEN l', 'LISTEN'],
      ] as const) {
        const { exitCode, failed } = await migrateWith('postgres-schema', '0002_alone.mjs', alone(sql));
        expect(exitCode).not.toBe(0);
        expect(failed[0]?.error).toMatchObject({
          code: 'TENANCY_SESSION_POOLED',
          message: expect.stringContaining(what),
          retryable: false,
        });
      }
      const file = "-- tenancy: no-transaction\nSET statement_timeout = '7s';\nCREATE INDEX CONCURRENTLY i ON accounts (id);\n";
      expect((await migrateWith('postgres-database', '0002_file.sql', file)).failed[0]?.error).toMatchObject({
        code: 'TENANCY_SESSION_POOLED',
        message: expect.stringContaining('0002_file.sql, line 2: SET without LOCAL'),
      });
      // The path of a database is its own: there is nothing to set.
      const index = alone('CREATE INDEX CONCURRENTLY i ON accounts (id)');
      expect(await migrateWith('postgres-database', '0002_alone.mjs', index)).toMatchObject({ exitCode: 0 });
    });

    it('a block that commits by itself is refused in a schema, where no search path can be set around it', async () => {
      const block = '-- tenancy: no-transaction\nDO $$ BEGIN INSERT INTO accounts VALUES (1); COMMIT; END $$;\n';
      const { failed } = await migrateWith('postgres-schema', '0002_block.sql', block);
      expect(failed[0]?.error).toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
        message: expect.stringContaining('2D000'),
        hint: expect.stringContaining('not to a pooler'),
      });
      expect(await migrateWith('postgres-database', '0002_block.sql', block)).toMatchObject({ exitCode: 0 });
    });

    it('templates and homes made ahead are copied and given', async () => {
      const project = await createSandboxProject(pooledHomes);
      const sandbox = await pooled(project).open(server.url, 'postgres-database');
      try {
        await sandbox.prepare(['bystander']);
        const ids = ['acme', 'beta', 'gamma', 'delta'];
        expect(readRun(await sandbox.run(['tenant', 'provision', ...ids, '--json'])).finished).toMatchObject({
          exitCode: 0,
          counts: { applied: 4 },
        });
        await assertNothingLeaked(sandbox);
        await assertEnd(sandbox, provision, new Map());
      } finally {
        await sandbox.drop();
        await project.remove();
      }
    });
  });
});
