import { DatabaseError } from 'pg';
import { TenancyError } from '../../../errors.js';
import { sleep } from '../../../util/abort.js';
import { elapsedMs, monotonicMs } from '../../../util/clock.js';
import { describeOwner } from '../../marker.js';
import { parseMarker } from '../marker.js';
import { RESET_SESSION_SQL } from '../session-state.js';
import type { MigrateContext } from './context.js';
import { GUARD_WORDS } from './history-sql.js';
import { readRows, sendMessage } from './send-message.js';

const FIRST_POLL_MS = 25;
const LONGEST_POLL_MS = 250;

export type GuardStop = keyof typeof GUARD_WORDS;

/** Which guard stopped a transaction; null for every other error. */
export function guardStop(error: unknown): GuardStop | null {
  if (!(error instanceof DatabaseError)) return null;
  // The name is in the history already: somebody was quicker between two of our transactions.
  if (error.code === '23505' && error.table === '_tenancy_migrations') return 'historyMoved';
  if (error.code === '23502' && error.table === '_tenancy_migrations') return 'fenceLost';
  if (error.code !== '42704') return null;
  // Whatever quotation marks the server's language has.
  const stop = Object.entries(GUARD_WORDS).find(([, word]) => error.message.includes(word));
  return (stop?.[0] as GuardStop | undefined) ?? null;
}

/** Where the history's tables, or their schema, are not there yet. */
export function isHistoryAbsent(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === '42P01' || error.code === '3F000') && error.message.includes('_tenancy_state');
}

/** What `attempt` is told: whether the history's tables have to be made first. */
export interface Attempt {
  readonly withSetUp: boolean;
}

/**
 * Runs `attempt`, which sends a guarded message, until the guard lets it through: waits for the tenant's lock
 * (polling, so that nobody queues behind anybody), and makes the history's tables where they turn out to be missing.
 * @throws TenancyError `TENANCY_TENANT_BUSY`, `TENANCY_FENCE_LOST`, `TENANCY_HISTORY_MOVED`, `TENANCY_HOME_NOT_OURS`
 */
export async function withGuard<T>(
  context: MigrateContext,
  tenant: string,
  startWithSetUp: boolean,
  attempt: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  const { options } = context.deps;
  const startedMs = monotonicMs();
  let withSetUp = startWithSetUp;
  for (;;) {
    options.signal.throwIfAborted();
    try {
      return await attempt({ withSetUp });
    } catch (error) {
      const stop = guardStop(error);
      if (!withSetUp && isHistoryAbsent(error)) withSetUp = true;
      else if (stop === 'lockHeld') await waitForLock(context, tenant, startedMs);
      else if (stop === 'fenceLost') throw new TenancyError('TENANCY_FENCE_LOST', { tenant, fence: options.fence });
      else if (stop === 'homeNotOurs') throw await createHomeError(context, tenant);
      else if (stop === 'historyMoved') throw new TenancyError('TENANCY_HISTORY_MOVED', { tenant });
      else throw error;
    }
  }
}

async function waitForLock(context: MigrateContext, tenant: string, startedMs: number): Promise<void> {
  const { client, options } = context.deps;
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
    const waitedMs = elapsedMs(startedMs);
    if (waitedMs >= options.lockTimeoutMs) {
      throw new TenancyError('TENANCY_TENANT_BUSY', { tenant, holder: await describeHolder(context), waitedMs });
    }
    await sleep(Math.min(pollMs, options.lockTimeoutMs - waitedMs), options.signal);
    const [row] = await readRows(client, context.sql.probeLock);
    if (row?.[0] === 't') return;
  }
}

async function describeHolder({ deps, sql }: MigrateContext): Promise<string> {
  const [row] = await readRows(deps.client, sql.lockHolder);
  return row?.[0] ?? 'another process';
}

/** Whose it is instead is read only now: it is for the message. */
export async function createHomeError({ deps, sql, schema }: MigrateContext, tenant: string): Promise<TenancyError> {
  const [row] = await readRows(deps.client, sql.readComment);
  const kind = schema === null ? 'database' : 'schema';
  const name = schema ?? deps.client.database ?? '';
  return new TenancyError('TENANCY_HOME_NOT_OURS', {
    tenant,
    name,
    kind,
    owner: describeOwner(parseMarker(row?.[0] ?? null), deps.marker),
  });
}

/** Ends a failed transaction, so that the connection can be used again. Not by its status: an error comes before that does. */
export async function rollBack({ deps }: MigrateContext): Promise<void> {
  // What a rollback keeps (session locks, prepared statements) in the same message: behind a pooler the next may go to another session.
  await sendMessage(deps.client, `ROLLBACK;${RESET_SESSION_SQL}`);
}
