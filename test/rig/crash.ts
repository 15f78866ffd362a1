import type { StartedCli } from './cli.js';
import { createRequestProxy } from './request-proxy.js';
import type { ProxiedRequest, RequestVerdict, TcpProxy } from './tcp-proxy.js';

/**
 * Where a process is killed: before its request of that number reaches the server, after it was carried out there, or as soon
 * as it was sent, so that the server goes on with it alone.
 */
export interface KillPoint {
  /** From 1, counted from the start of the command. */
  readonly request: number;
  readonly phase: 'before' | 'during' | 'after';
}

export interface CrashResult {
  /** False where the command ended before it got to that point. */
  readonly isKilled: boolean;
  readonly exitCode: number;
  /** How many requests the command made, up to the kill. */
  readonly requestCount: number;
  /** The statement at which it was killed. */
  readonly sql: string;
  /** What each request said. */
  readonly statements: readonly string[];
  readonly output: string;
}

export interface CutResult {
  /** The statement that was lost, or whose answer was; null where the command ended before it got to that point. */
  readonly sql: string | null;
  readonly exitCode: number;
  readonly output: string;
}

export interface CrashProxy extends TcpProxy {
  /** Runs a command to its end, and cuts the one connection that is at the point, once. */
  cut(start: () => Promise<Pick<StartedCli, 'result'>>, point: KillPoint): Promise<CutResult>;
  /** Runs a command, whose config points at this proxy, and kills it with SIGKILL at the point; with null it runs to its end. */
  crash(start: () => Promise<Pick<StartedCli, 'kill' | 'result'>>, point: KillPoint | Wanted | Later | null): Promise<CrashResult>;
}

/** The first request that says so, whatever comes before it: on a busy machine another heartbeat may. */
export interface Wanted extends Pick<KillPoint, 'phase'> {
  readonly request: RegExp;
}

/** So many requests behind the first one that says so. */
export interface Later extends Wanted {
  readonly later: number;
}

/**
 * A proxy for crash sweeps: run a command once with `null` to learn how many requests it makes, then once for each
 * point, and after each run it again to see that it repairs what the kill has left.
 */
export async function createCrashProxy(targetUrl: string): Promise<CrashProxy> {
  let onRequest: (request: ProxiedRequest) => Promise<RequestVerdict> = async () => 'forward';
  const proxy = await createRequestProxy(targetUrl, { onRequest: (request) => onRequest(request) });

  async function crash(
    start: () => Promise<Pick<StartedCli, 'kill' | 'result'>>,
    point: KillPoint | Wanted | Later | null,
  ): Promise<CrashResult> {
    const first = proxy.requestCount;
    let sql = '';
    let isKilled = false;
    let saidAt: number | null = null;
    const statements: string[] = [];
    const isPoint = ({ number, sql }: ProxiedRequest, at: KillPoint | Wanted | Later): boolean =>
      'later' in at ? saidAt !== null && number === saidAt + at.later : isRequest(at.request, number - first, sql);
    const started = start();
    onRequest = async (request) => {
      // Once it is dead, what its other connections had on the way is lost as well.
      if (isKilled) return 'drop';
      if (request.phase === 'before') {
        statements.push(request.sql);
        if (point !== null && 'later' in point && point.request.test(request.sql)) saidAt ??= request.number;
      }
      if (point === null || request.phase !== (point.phase === 'during' ? 'before' : point.phase)) return 'forward';
      if (!isPoint(request, point)) return 'forward';
      sql = request.sql;
      const cli = await started;
      if (point.phase === 'during') {
        // What came in one piece has been passed on by then.
        setImmediate(() => {
          isKilled = true;
          cli.kill('SIGKILL');
        });
        return 'forward';
      }
      isKilled = true;
      cli.kill('SIGKILL');
      await cli.result.catch(() => undefined);
      return 'drop';
    };
    const { exitCode, stdout, stderr } = await (await started).result;
    onRequest = async () => 'forward';
    return { isKilled, exitCode, requestCount: proxy.requestCount - first, sql, statements, output: `${stdout}${stderr}` };
  }

  async function cut(start: () => Promise<Pick<StartedCli, 'result'>>, point: KillPoint): Promise<CutResult> {
    const first = proxy.requestCount;
    let sql: string | null = null;
    onRequest = async (request) => {
      if (sql !== null || request.phase !== point.phase || request.number - first !== point.request) return 'forward';
      sql = request.sql;
      return 'drop';
    };
    const { exitCode, stdout, stderr } = await (await start()).result;
    onRequest = async () => 'forward';
    return { sql, exitCode, output: `${stdout}${stderr}` };
  }

  // The getters are the proxy's own: a copy would freeze its counts.
  return Object.create(proxy, { crash: { value: crash }, cut: { value: cut } }) as CrashProxy;
}

export function isRequest(wanted: number | RegExp, number: number, sql: string): boolean {
  return typeof wanted === 'number' ? number === wanted : wanted.test(sql);
}
