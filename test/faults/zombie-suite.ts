import { beforeAll, describe, expect, it } from 'vitest';
import { checkInvariants, checksumTenants } from '../rig/check-invariants.js';
import type { CliResult, StartedCli } from '../rig/cli.js';
import { isRequest, type KillPoint, type Wanted } from '../rig/crash.js';
import { createRequestProxy } from '../rig/request-proxy.js';
import type { Sandbox } from '../rig/sandbox.js';
import type { RequestVerdict } from '../rig/tcp-proxy.js';
import { deprovision, nextLife } from './fixtures.js';
import { readRun } from './read-run.js';
import { arrange, choosePoints, isWholeSweep, limit, type SweptCommand, seed } from './sweep.js';
import { type FaultSuite, type Swept, usePlace } from './use-place.js';

/** For as long as the others take. */
const STANDS_STILL_MS = 180_000;

interface Stopped {
  readonly zombie: StartedCli;
  readonly sql: string;
  /** Lets the request on, and the process with it. */
  wake(): Promise<CliResult>;
}

/** Where it stops: at the first request that says so, behind the first that says `behind`. */
interface Stop extends Wanted {
  readonly behind?: RegExp;
}

/** A command that stands still while others go on from what it had begun, and end with the tenant in use. */
export interface Overtaken extends Pick<Swept, 'driver' | 'project'> {
  /** What it would do if it went on. */
  readonly what: string;
  readonly command: SweptCommand;
  readonly stopsAt: Stop;
  readonly meanwhile: readonly SweptCommand[];
}

export interface ZombieOptions {
  /** A request of a deprovision by the first driver that is swept, from which on it takes things away. */
  readonly dropsBy: RegExp;
  /** One point of so many, in a sample not more than every second. The crash sweep of the same engine tries each. @default 1 */
  readonly oneOf?: number;
  /** Besides a deprovision in the first project that is swept, stopped where it `dropsBy`, over a next life of its id. @default none */
  readonly overtaken?: readonly Overtaken[];
}

/**
 * A process that is stopped past its lease (a laptop's lid, a paused container), its last request still on the way, while
 * another takes over and finishes. When it wakes, it must not say that it did what the other did, and must change nothing.
 */
export function describeZombie(suite: FaultSuite, { dropsBy, oneOf = 1, overtaken = [] }: ZombieOptions): void {
  const [first] = suite.swept;
  const drop = { what: 'drop the home', command: deprovision, stopsAt: before(dropsBy), meanwhile: nextLife };
  const all: readonly Overtaken[] = [...(first === undefined ? [] : [{ ...first, ...drop }]), ...overtaken];
  describe('6 zombie: a process that wakes after another has taken over', { timeout: isWholeSweep ? 3_600_000 : 480_000 }, () => {
    const place = usePlace({ ...suite, swept: [...suite.swept, ...all] });
    const takeovers: number[] = [];
    beforeAll(() => void process.stdout.write(`zombies, seed ${seed}\n`));

    async function stopAt(sandbox: Sandbox, args: readonly string[], { request, phase, behind }: Place): Promise<Stopped | null> {
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      let tell: (sql: string) => void = () => undefined;
      const reached = new Promise<string>((resolve) => {
        tell = resolve;
      });
      let isStopped = false;
      let isBehind = behind === undefined;
      const proxy = await createRequestProxy(sandbox.url, {
        onRequest: async (seen): Promise<RequestVerdict> => {
          if (!isStopped && isBehind && seen.phase === phase && isRequest(request, seen.number, seen.sql)) {
            isStopped = true;
            (await starting).kill('SIGSTOP');
            tell(seen.sql);
          }
          if (behind?.test(seen.sql)) isBehind = true;
          // What its other connections have on the way is held up as well.
          if (isStopped) await released;
          return 'forward';
        },
      });
      const starting = sandbox.startThrough(proxy, [...args, '--json'], { timeoutMs: STANDS_STILL_MS });
      const zombie = await starting;
      const sql = await Promise.race([reached, zombie.result.then(() => null)]);
      if (sql === null) {
        await proxy.close();
        return null;
      }
      return {
        zombie,
        sql,
        wake: async () => {
          release();
          zombie.kill('SIGCONT');
          const result = await zombie.result;
          await proxy.close();
          return result;
        },
      };
    }

    /** `isReal`: the second process waits until the lease has run out by itself. */
    async function tryPoint(swept: Swept, point: KillPoint | Wanted, isReal: boolean): Promise<Tried> {
      const { driver, command } = swept;
      const sandbox = await place.projectOf(swept).open(place.serverUrl, driver);
      let what = `${command.name} by ${driver}, stopped ${point.phase} request ${point.request}`;
      let stopped: Stopped | null = null;
      let isTakenOver = false;
      try {
        await arrange(sandbox, command);
        const bystanders = await checksumTenants(sandbox.url, sandbox.url, ['bystander']);
        stopped = await stopAt(sandbox, command.args, point);
        if (stopped === null) return { isTakenOver, failure: null };
        const isLeased = await sandbox.isLeased('acme');
        what += ` (${stopped.sql.replace(/\s+/g, ' ').trim().slice(0, 100)})`;
        if (!isReal) await sandbox.expireLeases();
        const second = readRun(await sandbox.run([...command.args, '--json']));
        // A transaction that the sleeper has open goes on for as long as it sleeps, and holds the tenant's lock: that is said, and no more.
        const isBusy = second.finished.exitCode !== 0 && second.finished.failed[0]?.error?.code === 'TENANCY_TENANT_BUSY';
        if (second.finished.exitCode !== 0 && !isBusy) throw new Error(`the second run failed: ${JSON.stringify(second.finished)}`);
        const hasTakenOver = second.finished.counts.applied === 1;
        isTakenOver = isLeased && hasTakenOver;
        const before = hasTakenOver ? await readAcme(sandbox) : null;
        const woken = readRun(await stopped.wake());
        if (woken.finished.counts.applied + second.finished.counts.applied > 1) {
          throw new Error(`both say that they did it: ${JSON.stringify([second.finished, woken.finished])}`);
        }
        if (woken.finished.exitCode === 0 && hasTakenOver && woken.finished.counts['up-to-date'] !== 1) {
          throw new Error(`it ended with 0: ${JSON.stringify(woken.finished)}`);
        }
        if (isBusy) {
          await sandbox.expireLeases();
          const third = readRun(await sandbox.run([...command.args, '--json']));
          if (third.finished.exitCode !== 0) throw new Error(`the third run failed: ${JSON.stringify(third.finished)}`);
        } else if (hasTakenOver) {
          const after = await readAcme(sandbox);
          // One whose connection was ended may try again, with a lease of its own: what it finds done, it may confirm.
          const isConfirmed = woken.finished.counts['up-to-date'] === 1 && withoutTime(after) === withoutTime(before ?? '');
          if (after !== before && !isConfirmed) throw new Error(`it changed something: ${before} became ${after}`);
        }
        await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url, bystanders });
        return { isTakenOver, failure: null };
      } catch (error) {
        return { isTakenOver, failure: `${what}: ${error instanceof Error ? error.message : String(error)}` };
      } finally {
        stopped?.zombie.kill('SIGKILL');
        await sandbox.drop();
      }
    }

    it.for([...all])('does not $what of one that is in use again, by $driver', async ({ command, stopsAt, meanwhile, ...swept }) => {
      const sandbox = await place.projectOf(swept).open(place.serverUrl, swept.driver);
      try {
        await sandbox.prepare(['acme']);
        const stopped = await stopAt(sandbox, command.args, stopsAt);
        await sandbox.expireLeases();
        for (const { args } of meanwhile) expect((await sandbox.run(args)).exitCode).toBe(0);
        const before = await readAcme(sandbox);
        const counts = await sandbox.readAsTenant('acme');
        const woken = readRun((await stopped?.wake()) ?? { stdout: '', stderr: 'it was not stopped', exitCode: 0 });
        expect(woken.finished.exitCode).not.toBe(0);
        expect(withoutTime(await readAcme(sandbox))).toBe(withoutTime(before));
        expect(await sandbox.readAsTenant('acme')).toEqual(counts);
        await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
      } finally {
        await sandbox.drop();
      }
    });

    it.concurrent.for([...suite.swept])('$command.name by $driver', async (swept, { task }) => {
      const chosen = await choosePoints(place.projectOf(swept), place.serverUrl, swept.driver, swept.command);
      // Those that the server goes on with alone are always among them.
      const always = chosen.filter(({ phase }) => phase === 'during').map(({ request }) => ({ request, phase: 'before' as const }));
      const sampled = chosen.filter(({ phase }, index) => phase !== 'during' && index % (isWholeSweep ? oneOf : Math.max(2, oneOf)) === 0);
      // A few points by chance may all come before the lease or after the last of it: one that doesn't is among them.
      const taking = swept.command === deprovision && !isWholeSweep ? [before(dropsBy)] : [];
      const points = [...sampled, ...(isWholeSweep ? [] : always), ...taking];
      const middle = Math.floor(points.length / 2);
      const tried = await Promise.all(points.map((point, index) => limit(() => tryPoint(swept, point, index === middle))));
      const failed = tried.flatMap(({ failure }) => failure ?? []);
      const takenOver = tried.filter(({ isTakenOver }) => isTakenOver).length;
      takeovers.push(takenOver);
      process.stdout.write(`zombies: ${swept.command.name} by ${swept.driver}: ${takenOver} of ${tried.length} were taken over\n`);
      task.meta.points = { tried: tried.length, converged: tried.length - failed.length };
      expect(failed).toEqual([]);
    });

    // Stopped before it has the lease, or when all is done, it is no zombie: a sample has to have some that are.
    describe('among these points', () => {
      it('are some where another did what the one that was stopped had begun', () => {
        expect(takeovers.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
      });
    });
  });
}

type Place = (KillPoint & { readonly behind?: undefined }) | Stop;

function before(request: RegExp): Stop {
  return { request, phase: 'before' };
}

interface Tried {
  /** It had the lease when it was stopped, and another did the work. */
  readonly isTakenOver: boolean;
  readonly failure: string | null;
}

/** All that the registry says of the tenant, but for who holds it, and all that is in its home. */
async function readAcme(sandbox: Sandbox): Promise<string> {
  const record = await sandbox.readRecord('acme');
  const sums = record?.['status'] === 'active' ? await checksumTenants(sandbox.url, sandbox.url, ['acme']) : new Map();
  return JSON.stringify([record, ...sums]);
}

function withoutTime(record: string): string {
  return record.replace(/"updated_?at":"[^"]*"/i, '');
}
