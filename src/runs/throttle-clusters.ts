import type { ResolvedThrottle, ThrottleContext } from '../config/types.js';
import type { ClusterEngine } from '../drivers/driver.js';
import { isTenancyError, TenancyError } from '../errors.js';
import { createThrottle, type Throttle } from '../fleet/throttle.js';
import type { RunContext } from '../lifecycle/run-context.js';
import { sleep, untilAborted } from '../util/abort.js';
import { redact } from '../util/redact.js';

/** A check that takes longer holds its cluster. */
const PATIENCE_MS = 10_000;

export interface ThrottleOptions {
  /** Once it aborts nothing is held: what was not started is to be counted. */
  readonly draining: AbortSignal;
  /** Frees what was taken ahead of the work on this cluster, so that others can have it. */
  readonly giveBack: (cluster: string) => Promise<unknown>;
}

/** For a lane of a run: null where the config says nothing of that cluster. Both a run and a worker admit tenants by it. */
export function throttleCluster(run: RunContext, cluster: string, { draining, giveBack }: ThrottleOptions): Throttle | undefined {
  const throttles = run.config.clusters[cluster]?.throttles ?? [];
  if (throttles.length === 0) return undefined;
  return createThrottle({
    everyMs: Math.min(...throttles.map(({ everyMs }) => everyMs)),
    signal: draining,
    ask: () => askAll(run, cluster, draining),
    onHeld: (reason) => run.emit({ type: 'cluster.held', cluster, reason }),
    // Again and again: some may have been on their way when it began.
    whileHeld: () => void giveBack(cluster).catch(() => undefined),
    onReleased: (ms) => run.emit({ type: 'cluster.released', cluster, ms }),
  });
}

/**
 * Asks each once before a run begins, so that a statement with a typing error ends the command rather than holds it for ever. What they answer
 * holds nobody yet. A cluster that can't be reached is left to its tenants. @throws TenancyError `TENANCY_THROTTLE_FAILED`
 */
export async function tryThrottles(run: RunContext, lanes: readonly { readonly name: string }[]): Promise<void> {
  await Promise.all(
    lanes.map(async ({ name }) => {
      for (const throttle of run.config.clusters[name]?.throttles ?? []) {
        const engine = await run.clusters.engine(name, run.command).catch(() => null);
        if (engine === null) return;
        try {
          await askOne(run, engine, throttle, new AbortController().signal);
        } catch (error) {
          if (engine.describeUnreachable(error) !== null) return;
          if (isTenancyError(error, 'TENANCY_CLUSTER_QUERY_REFUSED')) throw error;
          throw new TenancyError('TENANCY_THROTTLE_FAILED', { cluster: name, reason: describe(error) }, { cause: error });
        }
      }
    }),
  );
}

/** The first reason there is. A cluster that can't be reached holds nobody: its tenants fail, or try again, as they do without a throttle. */
async function askAll(run: RunContext, cluster: string, signal: AbortSignal): Promise<string | null> {
  for (const throttle of run.config.clusters[cluster]?.throttles ?? []) {
    let engine: ClusterEngine | null = null;
    try {
      engine = await run.clusters.engine(cluster, run.command);
      const reason = await askOne(run, engine, throttle, signal);
      if (reason !== null) return reason;
    } catch (error) {
      if (engine === null || signal.aborted || engine.describeUnreachable(error) !== null) continue;
      return `its throttle failed: ${describe(error)}`;
    }
  }
  return null;
}

async function askOne(
  run: RunContext,
  engine: ClusterEngine,
  { sql, check }: ResolvedThrottle,
  signal: AbortSignal,
): Promise<string | null> {
  const patience = new AbortController();
  const asked = AbortSignal.any([signal, patience.signal]);
  const waited = new AbortController();
  void sleep(PATIENCE_MS, waited.signal).then(
    () => patience.abort(new Error(`no answer in ${PATIENCE_MS / 1_000} s`)),
    () => undefined,
  );
  try {
    const asking = async (): Promise<unknown> =>
      sql === null ? check?.(createContext(run, engine, asked)) : readFirst(await engine.query(sql, [], asked));
    return toReason(await untilAborted(asking, asked), sql);
  } finally {
    waited.abort();
  }
}

function createContext({ config, runId }: RunContext, engine: ClusterEngine, signal: AbortSignal): ThrottleContext {
  return {
    cluster: engine.cluster,
    engine: engine.engine,
    root: config.root,
    runId,
    signal,
    query: async <Row>(sql: string, params: readonly unknown[] = []) => (await engine.query(sql, params, signal)) as readonly Row[],
    mongo: <Db>() => {
      if (engine.adminDatabase) return engine.adminDatabase() as Db;
      throw new TenancyError('TENANCY_CLUSTER_QUERY_REFUSED', {
        cluster: engine.cluster,
        engine: engine.engine === 'mysql' ? 'MySQL or MariaDB' : 'PostgreSQL',
        call: 'ctx.mongo()',
        instead: 'ctx.query()',
      });
    },
  };
}

function readFirst(rows: readonly Readonly<Record<string, unknown>>[]): unknown {
  return Object.values(rows[0] ?? {})[0];
}

/** Clients give numbers of the wider types as texts: a text that is a number is one, where it was asked for in SQL. */
function toReason(answer: unknown, sql: string | null): string | null {
  const value = sql !== null && typeof answer === 'string' && /^-?\d+(\.\d+)?$/.test(answer.trim()) ? Number(answer) : answer;
  if (typeof value === 'string') return value.trim() === '' ? null : redact(value.trim());
  if (typeof value === 'bigint' || typeof value === 'number') return value > 0 ? said(sql, String(value)) : null;
  return value === true ? said(sql, 'true') : null;
}

function said(sql: string | null, answer: string): string {
  return sql === null ? 'its throttle says so' : `its throttle query says ${answer}`;
}

function describe(error: unknown): string {
  return redact(error instanceof Error ? error.message : String(error));
}
