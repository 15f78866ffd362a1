import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkInvariants } from '../rig/invariants.js';
import { postgresUrl } from '../rig/postgres.js';
import { createSandboxProject, type Sandbox, type SandboxDriver, type SandboxProject } from '../rig/sandbox.js';
import { nameTenants, plain } from './fixtures.js';
import { readRun } from './read-run.js';
import { isWholeSweep } from './sweep.js';

const TENANTS = isWholeSweep ? 200 : 60;
const CAP = 6;
/** Of one run over all of them. */
const COMMAND_MS = isWholeSweep ? 180_000 : 60_000;
/** Long enough for what a test does meanwhile. */
const slow = { ...plain, '0002_orders.sql': `SELECT pg_sleep(0.3);\n${plain['0002_orders.sql']}` };
/** The registry's and the clusters', of this sandbox alone. */
const OURS = `datname ~ ('^' || current_database() || '(_|$)') AND starts_with(application_name, 'tenancy')`;

describe('the connections of a fan-out', { timeout: isWholeSweep ? 600_000 : 120_000 }, () => {
  let project: SandboxProject;
  let sandbox: Sandbox;
  let watcher: Client;

  async function open(driver: SandboxDriver, tenants: number): Promise<void> {
    sandbox = await project.open(await postgresUrl(), driver);
    await sandbox.prepare(nameTenants(tenants));
    watcher = new Client({ connectionString: sandbox.url, application_name: 'watcher' });
    await watcher.connect();
  }
  beforeEach(async () => {
    project = await createSandboxProject({ migrations: slow, before: ['0001_accounts.sql'], concurrency: CAP });
  });
  afterEach(async () => {
    await watcher?.end();
    await sandbox?.drop();
    await project?.remove();
  });

  /** Calls again and again, until the command is over. */
  async function meanwhile<T>(command: Promise<T>, everyMs: number, act: () => Promise<unknown>): Promise<T> {
    let isOver = false;
    const over = command.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await act();
      await Promise.race([delay(everyMs), over.catch(() => null)]);
    }
    return over;
  }

  it.each([
    { driver: 'postgres-schema', tenants: TENANTS },
    { driver: 'postgres-database', tenants: 12 },
  ] as const)('are never more than the cap and two, and none is left, by $driver', async ({ driver, tenants }) => {
    await open(driver, tenants);
    const seen: number[] = [];
    const command = sandbox.run(['tenant', 'migrate', '--all', '--json', '--concurrency', '50'], { timeoutMs: COMMAND_MS });
    const result = await meanwhile(command, 20, async () => {
      const { rows } = await watcher.query<{ open: number }>(`SELECT count(*)::integer AS open FROM pg_stat_activity WHERE ${OURS}`);
      seen.push(rows[0]?.open ?? 0);
    });
    expect(readRun(result).finished).toMatchObject({ exitCode: 0, counts: { applied: tenants } });
    expect(Math.max(...seen)).toBeGreaterThan(2);
    expect(Math.max(...seen)).toBeLessThanOrEqual(CAP + 2);
    await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
  });

  it('11 sessions may be terminated every 200 ms: two further runs at most make it right', async () => {
    await open('postgres-schema', TENANTS);
    let terminated = 0;
    let exitCode = -1;
    const told: string[] = [];
    for (let run = 0; exitCode !== 0 && run < 3; run++) {
      const command = sandbox.run(['tenant', 'migrate', '--all', '--json'], { timeoutMs: COMMAND_MS });
      const result = await meanwhile(command, 200, async () => {
        // The last run is left in peace.
        if (run === 2) return;
        const { rowCount } = await watcher.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${OURS} ORDER BY random() LIMIT 2`,
        );
        terminated += rowCount ?? 0;
      });
      exitCode = result.exitCode;
      const { counts, failed, error } = readRun(result).finished;
      told.push(JSON.stringify({ exitCode, counts, error, failed: failed.slice(0, 3) }));
    }
    expect(exitCode, told.join('\n')).toBe(0);
    expect(terminated, told.join('\n')).toBeGreaterThan(10);
    await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
    expect(await sandbox.query(`SELECT id FROM tenancy.tenants WHERE schema_version <> '0003_notes' OR last_error IS NOT NULL`)).toEqual(
      [],
    );
  });
});
