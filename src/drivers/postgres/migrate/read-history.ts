import { DatabaseError } from 'pg';
import type { AppliedMigration, MigrationProgress, TenantHistory } from '../../../migrations/migration.js';
import type { MigrateContext } from './context.js';
import { createHomeError, guardStop, isHistoryAbsent } from './guarded.js';
import { sendMessage } from './send-message.js';

/**
 * One round trip; tables (or a schema) that aren't there are an empty history.
 * @throws TenancyError `TENANCY_HOME_NOT_OURS`
 */
export async function readHistory(context: MigrateContext): Promise<TenantHistory> {
  const { deps, sql } = context;
  const applied: AppliedMigration[] = [];
  const seeds: string[] = [];
  let progress: MigrationProgress | null = null;
  let fence = 0;
  const read = (text: string): Promise<void> =>
    sendMessage(deps.client, text, {
      onRow: ([type, name, checksum, at, durationMs, runId, rowFence, statementsDone, statement]) => {
        if (type === 'migration')
          applied.push(toApplied({ name: name ?? '', checksum: checksum ?? '' }, [durationMs ?? null, at ?? null], runId ?? null));
        else if (type === 'seed') seeds.push(name ?? '');
        else if (type === 'progress') {
          progress = {
            name: name ?? '',
            checksum: checksum ?? '',
            statementsDone: Number(statementsDone),
            state: statement === 'started' ? 'started' : 'between',
          };
        } else if (type === 'fence') fence = Number(rowFence);
      },
    });
  try {
    // What is applied stays known where somebody has dropped the state alone; the next guard makes it anew.
    await read(sql.read).catch((error: unknown) => (isHistoryAbsent(error) ? read(sql.readApplied) : Promise.reject(error)));
  } catch (error) {
    if (guardStop(error) === 'homeNotOurs') throw await createHomeError(context, deps.marker.tenant);
    if (!(error instanceof DatabaseError) || (error.code !== '42P01' && error.code !== '3F000')) throw error;
  }
  return { applied, seeds, progress, fence };
}

/** From the row that `recordMigration` gives: duration and time, in ms and in s. */
export function toApplied(
  { name, checksum }: { readonly name: string; readonly checksum: string },
  [durationMs, at]: readonly (string | null)[],
  runId: string | null,
): AppliedMigration {
  return { name, checksum, appliedAt: new Date(Number(at) * 1000), durationMs: Number(durationMs), runId };
}
