import type { StartedCli } from './cli.js';
import { createTcpProxy, type ProxiedRequest, type RequestVerdict, type TcpProxy } from './tcp-proxy.js';

/** Where a process is killed: before its request of that number reaches the server, or after it was carried out there. */
export interface KillPoint {
  /** From 1, counted from the start of the command. */
  readonly request: number;
  readonly phase: 'before' | 'after';
}

export interface CrashResult {
  /** False where the command ended before it got to that point. */
  readonly isKilled: boolean;
  readonly exitCode: number;
  /** How many requests the command made, up to the kill. */
  readonly requestCount: number;
  /** The statement at which it was killed. */
  readonly sql: string;
  readonly output: string;
}

export interface CrashProxy extends TcpProxy {
  /** Runs a command, whose config points at this proxy, and kills it with SIGKILL at the point; with null it runs to its end. */
  crash(start: () => Promise<StartedCli>, point: KillPoint | null): Promise<CrashResult>;
}

/**
 * A proxy for crash sweeps: run a command once with `null` to learn how many requests it makes, then once for each
 * point, and after each run it again to see that it repairs what the kill has left.
 */
export async function createCrashProxy(targetUrl: string): Promise<CrashProxy> {
  let onRequest: (request: ProxiedRequest) => Promise<RequestVerdict> = async () => 'forward';
  const proxy = await createTcpProxy(targetUrl, { onRequest: (request) => onRequest(request) });

  async function crash(start: () => Promise<StartedCli>, point: KillPoint | null): Promise<CrashResult> {
    const first = proxy.requestCount;
    let sql = '';
    let isKilled = false;
    const started = start();
    onRequest = async (request) => {
      // Once it is dead, what its other connections had on the way is lost as well.
      if (isKilled) return 'drop';
      if (point === null || request.number - first !== point.request || request.phase !== point.phase) return 'forward';
      isKilled = true;
      sql = request.sql;
      const cli = await started;
      cli.kill('SIGKILL');
      await cli.result.catch(() => undefined);
      return 'drop';
    };
    const { exitCode, stdout, stderr } = await (await started).result;
    onRequest = async () => 'forward';
    return { isKilled, exitCode, requestCount: proxy.requestCount - first, sql, output: `${stdout}${stderr}` };
  }

  // The getters are the proxy's own: a copy would freeze its counts.
  return Object.create(proxy, { crash: { value: crash } }) as CrashProxy;
}
