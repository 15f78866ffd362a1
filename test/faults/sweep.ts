import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import { checkInvariants, checksumTenants } from '../rig/check-invariants.js';
import type { KillPoint, Later } from '../rig/crash.js';
import type { Sandbox, SandboxDriver, SandboxProject } from '../rig/sandbox.js';

/** One command, and what there is before it. */
export interface SweptCommand {
  readonly name: string;
  readonly args: readonly string[];
  readonly prepared: readonly string[];
  /** Of these, which are retained. */
  readonly retained?: readonly string[];
  /** Commands that are run before it, each to its end. */
  readonly arranged?: readonly (readonly string[])[];
  /** Once it is done it isn't done again: a refusal is what tells so, where the kill came behind all that it does. */
  readonly isRefusedWhenDone?: boolean;
  /** What is run once it was killed, in the place of the same command. */
  readonly followedBy?: readonly string[];
  /** A login becomes the current one in it: that is a point of every sample. */
  readonly makesLogin?: boolean;
  /** What the registry says of `acme` when the command has come through. */
  readonly ends: { readonly status: string; readonly schema_version: string | null };
}

export interface SweepResult {
  readonly points: number;
  readonly converged: number;
  readonly failures: readonly string[];
  /** How long it took from the kill until the next command had the lease, where that was longest; of those that waited until it had run out. */
  readonly slowestTakeoverMs: number;
  readonly takeovers: number;
}

export const isWholeSweep: boolean = process.env.TENANCY_FAULTS === 'all';
/**
 * Of all sweeps of a file together. Of a few points many wait for a lease to run out, so there may be more of them than cores; of all points hardly
 * any does, and more at once than there is room for only lets what has to happen in time come late.
 */
export const limit = pLimit(isWholeSweep ? 2 * availableParallelism() : 14);
const SAMPLED = 5;
const LOOK_EVERY_MS = 200;
const REFUSED = 4;

interface Sample {
  /** So many requests of a command at most, and of those that a server goes on with alone. */
  readonly requests: number;
  readonly outliving: number;
  /** So many points wait until the lease has run out; for the others its time is put forward. */
  readonly realWaits: number;
}

const WHOLE: Sample = { requests: Number.POSITIVE_INFINITY, outliving: Number.POSITIVE_INFINITY, realWaits: 6 };
const FEW: Sample = { requests: 3, outliving: 1, realWaits: 2 };
/** The order of steps is the same on every engine: the others are to show what is theirs. */
const SAMPLES: Readonly<Record<SandboxDriver, Sample>> = {
  'postgres-schema': WHOLE,
  'postgres-database': WHOLE,
  'mysql-database': isWholeSweep ? WHOLE : FEW,
  'mongodb-database': isWholeSweep ? WHOLE : FEW,
};

/** Which of the sampled requests come first. The same seed gives the same points. */
export const seed: number = Number(process.env.TENANCY_FAULTS_SEED ?? Math.floor(Math.random() * 1_000_000));

/** One of so many, others with each seed; all of them in a whole run. */
export function sampleOf<T>(all: readonly T[], oneOf: number): T[] {
  return all.filter((_, index) => isWholeSweep || index % oneOf === seed % oneOf);
}

const POSTGRES_OUTLIVES = /^\s*(\/\*.*?\*\/\s*)?(CREATE DATABASE|DROP DATABASE|CREATE( UNIQUE)? INDEX CONCURRENTLY)/i;

/** What a server goes on with when its client is dead. On MySQL a message may be a whole file, and what it begins with is carried out first. */
const OUTLIVES: Readonly<Record<SandboxDriver, RegExp>> = {
  'postgres-schema': POSTGRES_OUTLIVES,
  'postgres-database': POSTGRES_OUTLIVES,
  'mysql-database': /\b(CREATE|ALTER|DROP)( UNIQUE)? (DATABASE|TABLE|INDEX)\b/i,
  'mongodb-database': /^(create|createIndexes|drop|dropDatabase|commitTransaction)\b/,
};

/** Behind the request that gives a login its password, the one with which it is the current one in the registry; the journal is still to be written. */
const ANNOUNCES_LOGIN: Readonly<Record<SandboxDriver, Later>> = {
  'postgres-schema': { request: /\bLOGIN PASSWORD\b/, later: 1, phase: 'after' },
  'postgres-database': { request: /\bLOGIN PASSWORD\b/, later: 1, phase: 'after' },
  'mysql-database': { request: /\bACCOUNT UNLOCK\b/, later: 2, phase: 'after' },
  'mongodb-database': { request: /^createUser\b/, later: 8, phase: 'after' },
};

export interface SweepOptions {
  /** Looks at what there is before the command; what it resolves to looks at what the recovery has left, and throws where that isn't right. */
  readonly watch?: (sandbox: Sandbox) => Promise<() => Promise<void>>;
  /** Before it looks at what a recovery has left. */
  readonly settle?: (sandbox: Sandbox) => Promise<void>;
  /** One of so many requests, where the sweep isn't whole. @default 5 */
  readonly oneOf?: number;
  /** Or a sample, in a whole run too. @default as the run */
  readonly isWhole?: boolean;
  /** So many requests at most, where the sweep isn't whole. @default as many as come to it */
  readonly requests?: number;
}

/** Kills the command at each of the points, runs it once more, and looks whether all is as if nothing had happened. */
export async function sweep(
  project: SandboxProject,
  serverUrl: string,
  driver: SandboxDriver,
  command: SweptCommand,
  options: SweepOptions = {},
): Promise<SweepResult> {
  const chosen = await choosePoints(project, serverUrl, driver, command, options);
  const points: readonly (KillPoint | Later)[] = command.makesLogin ? [...chosen, ANNOUNCES_LOGIN[driver]] : chosen;
  const failures: string[] = [];
  const takeoversMs: number[] = [];
  const { realWaits } = SAMPLES[driver];
  const isReal = (index: number): boolean =>
    Math.floor(((index + 1) * realWaits) / points.length) > Math.floor((index * realWaits) / points.length);
  let reached = 0;
  await Promise.all(
    points.map((point, index) =>
      limit(async () => {
        const sandbox = await project.open(serverUrl, driver);
        let what = `${command.name} by ${driver}, killed ${point.phase} request ${point.request}`;
        try {
          await arrange(sandbox, command);
          const proxy = await sandbox.openProxy();
          const bystanders = await checksumBystanders(sandbox, command);
          const watched = await options.watch?.(sandbox);
          const killed = await proxy.crash(() => sandbox.startThrough(proxy, command.args), point);
          if (!killed.isKilled && killed.exitCode === 0) return;
          reached += 1;
          if (!killed.isKilled) throw new Error(`it was not killed, and ended with ${killed.exitCode}:\n${killed.output}`);
          what += ` (${killed.sql.replace(/\s+/g, ' ').trim().slice(0, 100)})`;
          const killedAtMs = performance.now();
          const fence = (await sandbox.isLeased('acme')) ? await sandbox.readFence('acme') : null;
          if (!isReal(index)) await sandbox.expireLeases();
          const recovery = sandbox.run(command.followedBy ?? command.args);
          if (isReal(index) && fence !== null) takeoversMs.push(...(await timeTakeover(sandbox, fence, killedAtMs, recovery)));
          const again = await recovery;
          if (again.exitCode !== 0 && !(command.isRefusedWhenDone && again.exitCode === REFUSED))
            throw new Error(`the recovery ended with ${again.exitCode}:\n${again.stderr}${again.stdout}`);
          await options.settle?.(sandbox);
          await assertEnd(sandbox, command, bystanders);
          await watched?.();
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

/** From the kill until somebody has a later lease than the dead one's; none where the next command had no more to do with the tenant. */
async function timeTakeover(sandbox: Sandbox, fence: number, killedAtMs: number, recovery: Promise<unknown>): Promise<number[]> {
  const over = recovery.then(
    () => true,
    () => true,
  );
  for (let isOver = false; !isOver; ) {
    isOver = await Promise.race([over, delay(LOOK_EVERY_MS, false)]);
    if ((await sandbox.readFence('acme')) > fence) return [performance.now() - killedAtMs];
  }
  return [];
}

/** What there is before a command. */
export async function arrange(sandbox: Sandbox, { prepared, retained = [], arranged = [] }: SweptCommand): Promise<void> {
  await sandbox.prepare(prepared);
  await sandbox.retain(retained);
  for (const args of arranged) {
    const done = await sandbox.run(args);
    if (done.exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${done.exitCode}:\n${done.stderr}${done.stdout}`);
  }
}

export async function assertEnd(sandbox: Sandbox, command: SweptCommand, bystanders: ReadonlyMap<string, string>): Promise<void> {
  await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url, bystanders });
  const acme = await sandbox.readTenant('acme');
  const { status, schema_version } = command.ends;
  if (acme?.status !== status || acme.schema_version !== schema_version) throw new Error(`acme ends as ${JSON.stringify(acme)}`);
  if (sandbox.isIsolated && status === 'active') await assertLogin(sandbox);
}

/** It has one login, what is stored of it lets in, and nothing else of the tenant's is stored. */
async function assertLogin(sandbox: Sandbox): Promise<void> {
  const login = await sandbox.readLogin('acme');
  if (login?.current == null || login.credentialRef === null) throw new Error(`acme has no login of its own: ${JSON.stringify(login)}`);
  if (login.previous !== null) throw new Error(`beside ${login.current}, ${login.previous} is good too`);
  const file = path.join(sandbox.directory, login.credentialRef.replace(/^file:/, ''));
  const name = await sandbox.logIn('acme', { name: login.current, password: await readFile(file, 'utf8') });
  if (name !== login.current) throw new Error(`its login is ${name}`);
  // The directory is that of all sandboxes of the project: what both logins of this life are called by is theirs alone.
  const both = login.current.slice(0, -'_a'.length);
  const stored = (await readdir(path.dirname(file))).filter((entry) => entry.includes(both));
  if (stored.join() !== path.basename(file)) throw new Error(`stored are ${stored.join(', ')}`);
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
  options: SweepOptions = {},
): Promise<KillPoint[]> {
  const requests = await listRequests(project, serverUrl, driver, command, options);
  const sample = SAMPLES[driver];
  const wanted =
    (options.isWhole ?? isWholeSweep)
      ? 1
      : Math.max(options.oneOf ?? SAMPLED, Math.ceil(requests.length / Math.min(sample.requests, options.requests ?? sample.requests)));
  // Of a command of few requests at least one, whatever the seed.
  const step = Math.min(wanted, requests.length);
  const outliving = requests.flatMap((sql, index) => (OUTLIVES[driver].test(sql) ? [index] : []));
  const always = new Set(outliving.length <= sample.outliving ? outliving : takeFrom(outliving, sample.outliving));
  return requests.flatMap((_, index) => {
    const request = index + 1;
    const points: KillPoint[] = [];
    if (index % step === seed % step) points.push({ request, phase: 'before' }, { request, phase: 'after' });
    if (always.has(index)) points.push({ request, phase: 'during' });
    return points;
  });
}

/** So many, one after the other, from where the seed says. */
function takeFrom(all: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, at) => all[(seed + at) % all.length] ?? 0);
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
  { settle }: SweepOptions = {},
): Promise<readonly string[]> {
  const sandbox = await project.open(serverUrl, driver);
  try {
    await arrange(sandbox, command);
    const proxy = await sandbox.openProxy();
    const whole = await proxy.crash(() => sandbox.startThrough(proxy, command.args), null);
    if (whole.exitCode !== 0) throw new Error(`${command.name} fails by itself: ${whole.output}`);
    if (command.followedBy !== undefined) await sandbox.run(command.followedBy);
    await settle?.(sandbox);
    await assertEnd(sandbox, command, new Map());
    return whole.statements;
  } finally {
    await sandbox.drop();
  }
}
