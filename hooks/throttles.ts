import { access } from 'node:fs/promises';
import path from 'node:path';
import type { ThrottleContext, ThrottleHook } from '../src/config/types.js';
import { parseDuration } from '../src/util/duration.js';

/**
 * For `clusters.NAME.throttle`: holds while a replica is further behind than that. PostgreSQL by `replay_lag` of `pg_stat_replication`, which the
 * login sees with `pg_monitor`; MongoDB by the newest `optimeDate` of the secondaries. MySQL's primary doesn't know it: there ask a heartbeat table
 * with `{ sql }`.
 *
 * @param most such as `'10s'`
 */
export function maxReplicationLag(most: string | number): ThrottleHook {
  const mostMs = parseDuration(most);
  return async (ctx) => {
    const lag = await readLag(ctx);
    return lag !== null && lag.ms > mostMs
      ? `${lag.replica} is ${(lag.ms / 1_000).toFixed(1)} s behind, more than ${mostMs / 1_000} s`
      : null;
  };
}

interface Lag {
  readonly replica: string;
  readonly ms: number;
}

const POSTGRES_LAG = `
  SELECT coalesce(nullif(application_name, ''), client_addr::text, 'a replica') AS replica, state IS NULL AS is_hidden,
         coalesce(extract(epoch FROM replay_lag), 0)::float8 * 1000 AS ms
    FROM pg_stat_replication ORDER BY replay_lag DESC NULLS LAST`;

async function readLag(ctx: ThrottleContext): Promise<Lag | null> {
  if (ctx.engine === 'mongodb') return readMongoLag(ctx);
  if (ctx.engine === 'mysql') {
    throw new Error(
      "maxReplicationLag() can't ask MySQL's primary, which doesn't know it: give { sql: 'SELECT …' } over a heartbeat table instead",
    );
  }
  const rows = await ctx.query<Lag & { readonly is_hidden: boolean }>(POSTGRES_LAG);
  // Others' walsenders are listed without what they do.
  if (rows.some(({ is_hidden: isHidden }) => isHidden))
    throw new Error('the login may not see how far replicas are: GRANT pg_monitor to it');
  return rows[0] ?? null;
}

interface ReplicaSet {
  readonly members: readonly { readonly name: string; readonly stateStr: string; readonly optimeDate?: Date }[];
}

async function readMongoLag(ctx: ThrottleContext): Promise<Lag | null> {
  const { members } = await ctx.mongo<{ command(command: object): Promise<ReplicaSet> }>().command({ replSetGetStatus: 1 });
  const primaryMs = members.find(({ stateStr }) => stateStr === 'PRIMARY')?.optimeDate?.getTime();
  if (primaryMs === undefined) return null;
  return members
    .filter(({ stateStr }) => stateStr === 'SECONDARY')
    .map(({ name, optimeDate }) => ({ replica: name, ms: primaryMs - (optimeDate?.getTime() ?? primaryMs) }))
    .reduce<Lag | null>((worst, lag) => (worst === null || lag.ms > worst.ms ? lag : worst), null);
}

/**
 * For `clusters.NAME.throttle`: holds while more sessions than that are at work on the server, those of the run among them, so give it room for
 * `concurrency`. PostgreSQL's `active` backends, MySQL's `Threads_running`, MongoDB's active clients.
 */
export function maxActiveSessions(most: number): ThrottleHook {
  return async (ctx) => {
    const active = await countActive(ctx);
    return active > most ? `${active} sessions are at work, more than ${most}` : null;
  };
}

async function countActive(ctx: ThrottleContext): Promise<number> {
  if (ctx.engine === 'mongodb') {
    const status = await ctx
      .mongo<{ command(command: object): Promise<{ globalLock?: { activeClients?: { total?: number } } }> }>()
      .command({ serverStatus: 1 });
    return status.globalLock?.activeClients?.total ?? 0;
  }
  if (ctx.engine === 'mysql') {
    const [row] = await ctx.query<{ Value: string }>(`SHOW GLOBAL STATUS LIKE 'Threads_running'`);
    // The one that asks isn't counted.
    return Number(row?.Value ?? 1) - 1;
  }
  const [row] = await ctx.query<{ active: number }>(
    `SELECT count(*)::int AS active FROM pg_stat_activity
      WHERE state = 'active' AND pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend'`,
  );
  return row?.active ?? 0;
}

/**
 * For `clusters.NAME.throttle`: holds while there is such a file, which an operator makes with `touch` and takes away again.
 *
 * @param file relative to the config file
 */
export function whileFileExists(file: string): ThrottleHook {
  return async ({ root }) => {
    try {
      await access(path.resolve(root, file));
      return `there is a file ${file}`;
    } catch {
      return null;
    }
  };
}
