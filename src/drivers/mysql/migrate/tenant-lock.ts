import { TenancyError } from '../../../errors.js';
import { historyDigest } from '../../../migrations/history-digest.js';
import { sleep } from '../../../util/abort.js';
import { elapsedMs, monotonicMs } from '../../../util/clock.js';
import { numberOf } from '../classify.js';
import type { Answer, Row } from '../connection.js';
import { readRow } from '../engine-context.js';
import { quoteText } from '../quote.js';
import { type MigrateContext, markerText } from './context.js';
import { READ_STATE } from './history-sql.js';
import { createHistoryTables } from './history-tables.js';
import { checkMarker, isAbsent } from './read-history.js';

const FIRST_POLL_MS = 25;
const LONGEST_POLL_MS = 250;

/** What was found when the lock had been taken. */
export interface LockedHistory {
  readonly state: readonly Row[];
  readonly applied: readonly { readonly name: string; readonly checksum: string }[];
}

/**
 * Holds the tenant's lock (GET_LOCK: the server's, and gone with the connection) over `use`, with our fence in the tenant. DDL commits, so no
 * transaction could hold anything; but while the connection lives nobody else gets past this, and when it is gone nothing of ours is running
 * any more: a statement of a client that died holds the lock until it ends.
 * @throws TenancyError `TENANCY_TENANT_BUSY`, `TENANCY_FENCE_LOST`, `TENANCY_HISTORY_MOVED`, `TENANCY_HOME_NOT_OURS`
 */
export async function withTenantLock<T>(
  context: MigrateContext,
  { tenant, expectedDigest }: { readonly tenant: string; readonly expectedDigest: string | null },
  use: (locked: LockedHistory) => Promise<T>,
): Promise<T> {
  const locked = await takeLock(context, tenant);
  try {
    if (expectedDigest !== null && historyDigest(locked.applied) !== expectedDigest)
      throw new TenancyError('TENANCY_HISTORY_MOVED', { tenant });
    return await use(locked);
  } finally {
    const { connection, deps } = context;
    // A connection that is gone has given it back by itself.
    if (!deps.options.signal.aborted) await connection.send(`DO RELEASE_LOCK(${context.lock})`).catch(() => undefined);
  }
}

async function takeLock(context: MigrateContext, tenant: string): Promise<LockedHistory> {
  const { signal, lockTimeoutMs, fence } = context.deps.options;
  const startedMs = monotonicMs();
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
    signal.throwIfAborted();
    const answers = await openHistory(context);
    const [taken, , states, migrations] = answers.map(({ rows }) => rows);
    const state = states ?? [];
    checkMarker(context, tenant, state);
    const known = Number(state.find(({ type }) => type === 'fence')?.fence ?? 0);
    if (known > fence) throw new TenancyError('TENANCY_FENCE_LOST', { tenant, fence });
    if (Number(taken?.[0]?.got) === 1) {
      return { state, applied: (migrations ?? []).map(({ name, checksum }) => ({ name: String(name), checksum: String(checksum) })) };
    }
    const holder = Number(taken?.[0]?.holder ?? 0);
    if (known < fence) await endStaleOwner(context, holder);
    const waitedMs = elapsedMs(startedMs);
    if (waitedMs >= lockTimeoutMs) {
      throw new TenancyError('TENANCY_TENANT_BUSY', { tenant, holder: `connection ${holder} of the server`, waitedMs });
    }
    await sleep(Math.min(pollMs, lockTimeoutMs - waitedMs), signal);
  }
}

/** The lock is tried, and what is behind it asked for, in one round trip. The fence is raised only in a home of ours, under the lock. */
async function openHistory(context: MigrateContext): Promise<readonly Answer[]> {
  const { connection, lock, deps } = context;
  const { fence } = deps.options;
  const open = [
    `SELECT GET_LOCK(${lock}, 0) AS got, IS_USED_LOCK(${lock}) AS holder`,
    `UPDATE _tenancy_state f JOIN _tenancy_state m ON m.type = 'marker' AND m.detail = ${quoteText(markerText(context))} SET f.fence = ${fence} ` +
      `WHERE f.type = 'fence' AND f.fence <= ${fence} AND IS_USED_LOCK(${lock}) = CONNECTION_ID()`,
    READ_STATE,
    'SELECT name, checksum FROM _tenancy_migrations',
  ];
  try {
    return await connection.send(open.join('; '));
  } catch (error) {
    if (!isAbsent(error)) throw error;
    const state = await connection.send(READ_STATE).catch((again: unknown) => (isAbsent(again) ? null : Promise.reject(again)));
    checkMarker(context, context.marker.tenant, state?.[0]?.rows ?? []);
    // Somebody has dropped the history alone.
    await connection.send(createHistoryTables(null).join('; '));
    return connection.send(open.join('; '));
  }
}

/**
 * An owner whose lease is over, as its fence tells, and that sends nothing: it stands still, and would hold the lock for ever. One that is at a
 * statement is waited for: nobody could tell how far a killed one has got.
 */
async function endStaleOwner({ connection }: MigrateContext, holder: number): Promise<void> {
  const row = await readRow(connection, `SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = ? AND COMMAND = 'Sleep'`, [holder]);
  if (row === undefined) return;
  await connection.send(`KILL ${holder}`).catch((error: unknown) => {
    // ER_NO_SUCH_THREAD; ER_KILL_DENIED_ERROR: then it is waited for.
    if (![1094, 1095].includes(numberOf(error))) throw error;
  });
}
