import { performance } from 'node:perf_hooks';
import process from 'node:process';
import pLimit from 'p-limit';
import type { KillPoint } from '../rig/crash.js';
import { checkInvariants, checksumTenants } from '../rig/invariants.js';
import type { Sandbox, SandboxDriver, SandboxProject } from '../rig/sandbox.js';

/** One command, and what there is before it. */
export interface SweptCommand {
  readonly name: string;
  readonly args: readonly string[];
  readonly prepared: readonly string[];
  /** What the registry says of `acme` when the command has come through. */
  readonly ends: { readonly status: string; readonly schema_version: string | null };
}

export interface SweepResult {
  readonly points: number;
  readonly converged: number;
  readonly failures: readonly string[];
  /** How long the slowest took from the kill to the end of the recovery, of those that waited for the dead one's lease. */
  readonly slowestTakeoverMs: number;
  readonly takeovers: number;
}

/** Of all sweeps together. Mostly they wait, so there may be more of them than cores. */
const limit = pLimit(14);
/** So many of each sweep wait until the lease has run out; for the others its time is put forward. */
const REAL_WAITS = 6;
const SAMPLED = 5;

export const isWholeSweep: boolean = process.env.TENANCY_FAULTS === 'all';

/** Which of the sampled requests come first. The same seed gives the same points. */
export const seed: number = Number(process.env.TENANCY_FAULTS_SEED ?? Math.floor(Math.random() * 1_000_000));

/** What PostgreSQL goes on with when its client is dead. */
const OUTLIVES = /^\s*(\/\*.*?\*\/\s*)?(CREATE DATABASE|DROP DATABASE|CREATE( UNIQUE)? INDEX CONCURRENTLY)/i;

/** Kills the command at each of the points, runs it once more, and looks whether all is as if nothing had happened. */
export async function sweep(
  project: SandboxProject,
  serverUrl: string,
  driver: SandboxDriver,
  command: SweptCommand,
): Promise<SweepResult> {
  const points = await choosePoints(project, serverUrl, driver, command);
  const failures: string[] = [];
  const takeoversMs: number[] = [];
  const isReal = (index: number): boolean =>
    Math.floor(((index + 1) * REAL_WAITS) / points.length) > Math.floor((index * REAL_WAITS) / points.length);
  let reached = 0;
  await Promise.all(
    points.map((point, index) =>
      limit(async () => {
        const sandbox = await project.open(serverUrl, driver);
        let what = `${command.name} by ${driver}, killed ${point.phase} request ${point.request}`;
        try {
          await sandbox.prepare(command.prepared);
          const proxy = await sandbox.openProxy();
          const bystanders = await checksumBystanders(sandbox, command);
          const killed = await proxy.crash(() => sandbox.startThrough(proxy, command.args), point);
          if (!killed.isKilled) return;
          reached += 1;
          what += ` (${killed.sql.replace(/\s+/g, ' ').trim().slice(0, 100)})`;
          const killedAtMs = performance.now();
          const isLeased = await sandbox.isLeased('acme');
          if (!isReal(index)) await sandbox.expireLeases();
          const again = await sandbox.run(command.args);
          if (isReal(index) && isLeased) takeoversMs.push(performance.now() - killedAtMs);
          if (again.exitCode !== 0) throw new Error(`the recovery ended with ${again.exitCode}:\n${again.stderr}${again.stdout}`);
          await assertEnd(sandbox, command, bystanders);
        } catch (error) {
          failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
        } finally {
          await sandbox.drop();
        }
      }),
    ),
  );
  const converged = reached - failures.length;
  return {
    points: reached,
    converged,
    failures,
    slowestTakeoverMs: Math.round(Math.max(0, ...takeoversMs)),
    takeovers: takeoversMs.length,
  };
}

export async function assertEnd(sandbox: Sandbox, command: SweptCommand, bystanders: ReadonlyMap<string, string>): Promise<void> {
  await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url, bystanders });
  const [acme] = await sandbox.query<SweptCommand['ends']>(`SELECT status, schema_version FROM tenancy.tenants WHERE id = 'acme'`);
  const { status, schema_version } = command.ends;
  if (acme?.status !== status || acme.schema_version !== schema_version) throw new Error(`acme ends as ${JSON.stringify(acme)}`);
}

export function checksumBystanders(sandbox: Sandbox, { prepared }: SweptCommand): Promise<Map<string, string>> | Map<string, string> {
  const ids = prepared.filter((id) => id !== 'acme');
  return ids.length === 0 ? new Map() : checksumTenants(sandbox.url, sandbox.url, ids);
}

/** Which of its requests a command is to be killed at. */
export async function choosePoints(
  project: SandboxProject,
  serverUrl: string,
  driver: SandboxDriver,
  command: SweptCommand,
): Promise<KillPoint[]> {
  const points: KillPoint[] = [];
  for (const [index, sql] of (await listRequests(project, serverUrl, driver, command)).entries()) {
    const request = index + 1;
    if (isWholeSweep || index % SAMPLED === seed % SAMPLED) points.push({ request, phase: 'before' }, { request, phase: 'after' });
    if (isWholeSweep || OUTLIVES.test(sql)) points.push({ request, phase: 'during' });
  }
  return points;
}

export async function countRequests(...asked: Parameters<typeof listRequests>): Promise<number> {
  return (await listRequests(...asked)).length;
}

/** One run that nobody kills tells which requests there are. */
async function listRequests(
  project: SandboxProject,
  serverUrl: string,
  driver: SandboxDriver,
  command: SweptCommand,
): Promise<readonly string[]> {
  const sandbox = await project.open(serverUrl, driver);
  try {
    await sandbox.prepare(command.prepared);
    const proxy = await sandbox.openProxy();
    const whole = await proxy.crash(() => sandbox.startThrough(proxy, command.args), null);
    if (whole.exitCode !== 0) throw new Error(`${command.name} fails by itself: ${whole.output}`);
    await assertEnd(sandbox, command, new Map());
    return whole.statements;
  } finally {
    await sandbox.drop();
  }
}
