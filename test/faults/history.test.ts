import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkInvariants, checksumTenants } from '../rig/check-invariants.js';
import { query } from '../rig/postgres.js';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { createSandboxProject, type Sandbox, type SandboxDriver, type SandboxProject } from '../rig/sandbox.js';
import { createTcpProxy, type RequestVerdict } from '../rig/tcp-proxy.js';
import { plain } from './fixtures.js';
import { findUnreachable, observe, type Row, readChanges } from './history-model.js';
import { type PlannedStep, planHistory, tenants } from './history-plan.js';
import { isWholeSweep, seed } from './sweep.js';

const HISTORIES = isWholeSweep ? 8 : 2;
const STEPS = isWholeSweep ? 120 : 21;
const LINES = 3;
/** How long a process that was stopped stands still: others get on meanwhile, and its lease is over. */
const STOPPED_MS = 2_000;

const migrations = {
  ...plain,
  '0002_orders.down.sql': `DROP TABLE orders;\nDELETE FROM counts WHERE name = '0002_orders';\n`,
  '0003_notes.down.sql': `DROP TABLE notes;\nDELETE FROM counts WHERE name = '0003_notes';\n`,
};

/** What a command may end with: done, failed, usage, refused, locked, unreachable; 137 where it was killed. Never a bug. */
const EXITS = [0, 1, 2, 4, 5, 6, 137];

/** What the registry says of a tenant that nobody is at work on any more. */
interface HalfWay {
  readonly status: string;
  readonly type: string | null;
  /** Its retention is over, or what ends it has begun. */
  readonly isPurged: boolean;
}

describe('23 history checker: random commands by several processes, killed, cut off and stopped', {
  timeout: isWholeSweep ? 7_200_000 : 480_000,
}, () => {
  let server: PrivateServer;
  let project: SandboxProject;

  beforeAll(async () => {
    [server, project] = await Promise.all([
      startPrivateServer('18'),
      createSandboxProject({ migrations, configExtra: `defaults: { leaseWait: '1s', lockTimeout: '1s', retries: 1 },` }),
    ]);
    process.stdout.write(`histories, TENANCY_FAULTS_SEED=${seed}\n`);
  });
  afterAll(() => Promise.all([project?.remove(), server?.stop()]));

  async function carryOut(sandbox: Sandbox, step: PlannedStep): Promise<string | null> {
    let act = async (): Promise<RequestVerdict> => 'forward';
    const proxy = await createTcpProxy(sandbox.url, {
      onRequest: ({ number, phase }) => (number === step.request && phase === 'before' ? act() : 'forward'),
    });
    if (step.isLate) await sandbox.expireLeases();
    const starting = sandbox.startThrough(proxy, step.args);
    act = async () => {
      const cli = await starting;
      switch (step.fault) {
        case 'killed':
          cli.kill('SIGKILL');
          return 'drop';
        case 'reset':
          proxy.reset();
          return 'drop';
        case 'terminated':
          await query(
            sandbox.url,
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(application_name, 'tenancy')
              AND (datname = $1 OR starts_with(datname, $1 || '_'))`,
            [sandbox.name],
          );
          return 'forward';
        case 'stopped':
          cli.kill('SIGSTOP');
          await sandbox.expireLeases();
          await delay(STOPPED_MS);
          cli.kill('SIGCONT');
          return 'forward';
        default:
          return 'forward';
      }
    };
    const { exitCode, stdout, stderr } = await (await starting).result;
    await proxy.close();
    return EXITS.includes(exitCode) ? null : `${JSON.stringify(step)} ended with ${exitCode}: ${stdout}${stderr}`;
  }

  /** What anybody would do who finds a tenant half way: the same command again. */
  async function recover(sandbox: Sandbox): Promise<string[]> {
    await sandbox.expireLeases();
    const failures: string[] = [];
    for (const id of tenants) {
      const [row] = await sandbox.query<HalfWay>(
        `SELECT status, operation ->> 'type' AS type, retained_until IS NOT NULL AS "isPurged" FROM tenancy.tenants WHERE id = $1`,
        [id],
      );
      if (row === undefined || row.status === 'deprovisioned') continue;
      const args = finish(id, row);
      if (args[1] === 'deprovision' || args[1] === 'purge') await sandbox.run(['tenant', 'unprotect', id]);
      const { exitCode, stderr } = await sandbox.run(args, { timeoutMs: 120_000 });
      if (exitCode !== 0) failures.push(`${JSON.stringify(row)}: ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
    }
    return failures;
  }

  function finish(id: string, { status, type, isPurged }: HalfWay): readonly string[] {
    if (status === 'retained') return ['tenant', 'undelete', id];
    if (status === 'active' || status === 'suspended') return ['tenant', 'migrate', id];
    if (status !== 'deprovisioning' && type !== 'deprovision') return ['tenant', 'provision', id];
    return isPurged
      ? ['tenant', 'purge', id, '--confirm', id]
      : ['tenant', 'deprovision', id, '--skip-backup', '--retain', 'none', '--confirm', id];
  }

  async function live(
    driver: SandboxDriver,
    from: number,
  ): Promise<{ readonly steps: number; readonly changes: number; readonly failures: string[] }> {
    const sandbox = await project.open(server.url, driver);
    try {
      await sandbox.prepare(['acme', 'bystander']);
      const bystanders = await checksumTenants(sandbox.url, sandbox.url, ['bystander']);
      await observe(sandbox);
      const plan = planHistory(from, LINES, STEPS);
      const failures: string[] = [];
      await Promise.all(
        plan.map(async (line) => {
          for (const step of line) {
            const failure = await carryOut(sandbox, step).catch((error: Error) => `${JSON.stringify(step)}: ${error.message}`);
            if (failure !== null) failures.push(failure);
          }
        }),
      );
      failures.push(...(await recover(sandbox)));
      const changes = await readChanges(sandbox);
      failures.push(...findUnreachable(changes));
      const audit = await sandbox.run(['audit', 'verify', '--all']);
      if (audit.exitCode !== 0) failures.push(`the audit's chains are broken: ${audit.stdout}${audit.stderr}`);
      await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url, bystanders }).catch((error: Error) =>
        failures.push(error.message),
      );
      return {
        steps: plan.flat().length,
        changes: changes.length,
        failures: failures.map((failure) => `${driver}, seed ${from}: ${failure}`),
      };
    } finally {
      await sandbox.drop();
    }
  }

  it('the model refuses what no command may do', () => {
    const row: Row = {
      id: 'acme',
      status: 'active',
      incarnation: 1,
      fence: 5,
      is_protected: false,
      schema_version: '0003_notes',
      migrations_hash: 'h',
      operation: null,
      lease_owner: 'a',
      lease_expires_at: '2030-01-01T00:00:00Z',
      retained_until: null,
    };
    const operation = { id: 'o', type: 'deprovision' };
    const retained: Row = { ...row, status: 'retained', operation, retained_until: '2030-01-01T00:00:00Z' };
    const deprovisioning: Row = { ...row, status: 'deprovisioning', operation };
    const at = '2029-12-31T00:00:00Z';
    const right: readonly [Row, Row][] = [
      [row, { ...row, status: 'suspended' }],
      [deprovisioning, retained],
      [retained, row],
      [retained, { ...retained, status: 'deprovisioning' }],
    ];
    for (const [before, after] of right) expect(findUnreachable([{ before, after, at }])).toEqual([]);
    const wrong: readonly [Partial<Row>, Partial<Row> | null][] = [
      [{}, null],
      [{}, { status: 'provisioning' }],
      [{}, { incarnation: 2 }],
      [{ status: 'deprovisioned' }, { status: 'provisioning' }],
      [{}, { fence: 4 }],
      [{}, { schema_version: '0009_other' }],
      [{ schema_version: '0002_orders' }, { migrations_hash: null }],
      [{ status: 'provisioning' }, { schema_version: null }],
      [{ is_protected: true }, { status: 'deprovisioning' }],
      [{}, { operation: { id: 'o', type: 'provision' } }],
      [{}, { lease_owner: 'b', fence: 6 }],
      [{}, retained],
      [retained, { ...retained, status: 'provisioning' }],
      [retained, { ...retained, status: 'deprovisioned' }],
      [retained, { ...retained, schema_version: '0002_orders' }],
      [retained, { operation: null, retained_until: retained.retained_until }],
      [
        { ...retained, is_protected: true },
        { ...retained, is_protected: true, status: 'deprovisioning' },
      ],
      [deprovisioning, { ...retained, operation: null }],
      [deprovisioning, { ...retained, retained_until: null }],
    ];
    for (const [before, after] of wrong) {
      const change = { before: { ...row, ...before }, after: after && { ...row, ...after }, at };
      expect(findUnreachable([change]), JSON.stringify([before, after])).not.toEqual([]);
    }
  });

  it('reach no state that no command leads to, and one clean run of each tenant makes all right', async ({ task }) => {
    const limit = pLimit(2);
    const histories = await Promise.all(
      Array.from({ length: HISTORIES }, (_, index) =>
        limit(() => live(index % 2 === 0 ? 'postgres-schema' : 'postgres-database', seed + index)),
      ),
    );
    const sum = (key: 'steps' | 'changes'): number => histories.reduce((total, history) => total + history[key], 0);
    process.stdout.write(`${histories.length} histories of ${sum('steps')} commands left ${sum('changes')} states of the registry\n`);
    const failed = histories.filter(({ failures }) => failures.length > 0).length;
    task.meta.points = { tried: histories.length, converged: histories.length - failed };
    expect(histories.flatMap(({ failures }) => failures)).toEqual([]);
  });
});
