import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { LEASE_MS } from '../../src/lifecycle/leases.js';
import { checkInvariants } from '../rig/check-invariants.js';
import { createProcessGate, until } from '../rig/gate.js';
import { startMongoDeployment } from '../rig/mongodb/deployment.js';
import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { startPrivateServer } from '../rig/private-server.js';
import { describeOn } from '../rig/require.js';
import { createSandboxProject, type Sandbox, type SandboxDriver } from '../rig/sandbox.js';
import { clockShifter, skewClock } from '../rig/skewed-clock.js';
import { readRun } from './read-run.js';
import { isWholeSweep } from './sweep.js';

const HOURS = 24;
/** What a takeover may take besides the lease: the rest of the 5 s that are promised, and the start of a process on a busy machine. */
const TAKEOVER_MS = LEASE_MS + 15_000;

interface Engine {
  readonly name: string;
  readonly driver: SandboxDriver;
  readonly shifts: readonly number[];
  /** Extensions differ: MongoDB has no SQL. */
  readonly first: Readonly<Record<string, string>>;
  /** Lets a module be run again that was interrupted. */
  readonly flag: string;
  /** Leaves its row or document in `counts`. */
  readonly count: string;
  startServer(): Promise<{ readonly url: string; stop(): Promise<unknown> }>;
}

function describeSkew({ name, driver, shifts, first, flag, count, startServer }: Engine): void {
  describe(`16 clock skew on ${name}`, { timeout: isWholeSweep ? 1_800_000 : 180_000 }, () => {
    let server: Awaited<ReturnType<Engine['startServer']>>;
    beforeAll(async () => {
      process.stdout.write(`clocks are shifted by ${clockShifter}\n`);
      server = await startServer();
    }, 60_000);
    afterAll(() => server?.stop());

    async function openSandbox(second: string): Promise<{ readonly sandbox: Sandbox; close(): Promise<void> }> {
      const project = await createSandboxProject({ migrations: { ...first, '0002_gate.mjs': second }, before: Object.keys(first) });
      const sandbox = await project.open(server.url, driver);
      return {
        sandbox,
        close: async () => {
          await sandbox.drop();
          await project.remove();
        },
      };
    }

    it.concurrent.each(shifts)(
      '%i hours: a lease is nobody else’s while its holder lives, and anybody’s once it is dead',
      async (hours) => {
        const gate = await createProcessGate();
        const { sandbox, close } = await openSandbox(
          `${flag}\nexport async function up(db) {\n  await ${gate.expression('acme')};\n  ${count}\n}\n`,
        );
        try {
          await sandbox.prepare(['acme']);
          const args = ['tenant', 'migrate', 'acme', '--json'];
          const holder = await sandbox.start(args, { env: skewClock(hours) });
          await gate.waiting();
          const rivals = [0, -hours, 3 * hours];
          const held = async (): Promise<void> => {
            const results = await Promise.all(
              rivals.map((shift) => sandbox.run([...args, '--lease-wait', '1s'], { env: skewClock(shift) })),
            );
            expect(results.map(({ exitCode }) => exitCode)).toEqual(rivals.map(() => 5));
          };
          await held();
          // Longer than a lease: heartbeats by a wrong clock keep it all the same.
          if (isWholeSweep) {
            await delay(LEASE_MS + 2_000);
            await held();
          }
          expect(gate.arrivals).toEqual(['acme']);

          holder.kill('SIGKILL');
          await holder.result;
          await gate.open();
          const killedMs = performance.now();
          const taken = readRun(await sandbox.run(args, { env: skewClock(-hours) }));
          expect(taken.finished).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
          expect(performance.now() - killedMs).toBeLessThan(TAKEOVER_MS);
          await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
        } finally {
          await gate.open();
          await close();
        }
      },
    );

    it.concurrent.each(shifts)('%i hours: a tenant is retained for as long as was said, and purged when that is over', async (hours) => {
      const { sandbox, close } = await openSandbox(`${flag}\nexport async function up(db) {\n  ${count}\n}\n`);
      try {
        await sandbox.prepare(['kept', 'brief']);
        const show = async (id: string, shift: number): Promise<{ status: string; retainedUntil: string; retentionOver: boolean }> =>
          JSON.parse((await sandbox.run(['tenant', 'show', id, '--json'], { env: skewClock(shift) })).stdout).tenant;
        const retain = (id: string, time: string) =>
          sandbox.run(['tenant', 'deprovision', id, '--retain', time, '--skip-backup', '--confirm', id], { env: skewClock(hours) });
        const purge = (id: string, shift: number) => sandbox.run(['tenant', 'purge', id, '--confirm', id], { env: skewClock(shift) });

        const before = Date.now();
        expect(await retain('kept', '2d')).toMatchObject({ exitCode: 0 });
        const kept = await show('kept', hours);
        const days = (Date.parse(kept.retainedUntil) - before) / (24 * 3_600_000);
        expect(days).toBeGreaterThanOrEqual(2);
        expect(days).toBeLessThan(2.01);
        // To this one the time has passed long ago.
        expect(await show('kept', 100)).toMatchObject({ status: 'retained', retentionOver: false });
        expect(await purge('kept', 100)).toMatchObject({ exitCode: 4 });
        expect(await show('kept', 0)).toMatchObject({ status: 'retained' });

        expect(await retain('brief', '1s')).toMatchObject({ exitCode: 0 });
        await until(async () => (await show('brief', -100)).retentionOver, 'its time to pass');
        // To this one it has four days left.
        expect(await purge('brief', -100)).toMatchObject({ exitCode: 0 });
        expect(await show('brief', 0)).toMatchObject({ status: 'deprovisioned' });
        await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
      } finally {
        await close();
      }
    });
  });
}

const sqlFirst = (text: string) => ({
  '0001_counts.sql': `CREATE TABLE counts (name ${text} NOT NULL);\nINSERT INTO counts VALUES ('0001_counts');\n`,
});

describeSkew({
  name: 'PostgreSQL',
  driver: 'postgres-schema',
  flag: '',
  shifts: [HOURS, -HOURS],
  first: sqlFirst('text'),
  count: `await db.query("INSERT INTO counts VALUES ('0002_gate')");`,
  startServer: () => startPrivateServer('18'),
});

describeOn('mariadb', () => {
  describeSkew({
    name: 'MariaDB',
    driver: 'mysql-database',
    flag: 'export const transaction = true;',
    shifts: isWholeSweep ? [HOURS, -HOURS] : [HOURS],
    first: sqlFirst('VARCHAR(64)'),
    count: `await db.query("INSERT INTO counts VALUES ('0002_gate')");`,
    startServer: () => startPrivateMariadb(),
  });
});

describeSkew({
  name: 'MongoDB',
  driver: 'mongodb-database',
  flag: 'export const rerunnable = true;',
  shifts: isWholeSweep ? [HOURS, -HOURS] : [-HOURS],
  first: {
    '0001_counts.mjs': `export const rerunnable = true;\nexport const up = (db) => db.collection('counts').updateOne({ _id: '0001_counts' }, { $set: { name: '0001_counts' } }, { upsert: true });\n`,
  },
  count: `await db.collection('counts').updateOne({ _id: '0002_gate' }, { $set: { name: '0002_gate' } }, { upsert: true });`,
  startServer: () => startMongoDeployment(),
});

// Without it the suites above shift what JavaScript calls the time, and nothing that isn't JavaScript notices.
describeOn('faketime', () => {
  test.each([HOURS, -HOURS])('16 clock skew: %i hours are those of all that a command starts', (hours) => {
    const seconds = Number(execFileSync('date', ['+%s'], { env: { ...process.env, ...skewClock(hours) }, encoding: 'utf8' }));
    expect(Math.abs(seconds - Date.now() / 1000 - hours * 3_600)).toBeLessThan(60);
  });
});
