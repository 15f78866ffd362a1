import { TenancyError } from '../../../errors.js';
import type { AppliedMigration, MigrationProgress, TenantHistory } from '../../../migrations/migration.js';
import type { MirroredMigration } from '../../driver.js';
import { describeOwner } from '../../marker.js';
import { numberOf } from '../classify.js';
import type { Row } from '../connection.js';
import { readRows } from '../engine-context.js';
import { parseMarker } from '../marker.js';
import { type MigrateContext, markerText } from './context.js';
import { READ_APPLIED, READ_MIRROR, READ_STATE } from './history-sql.js';

/** ER_NO_SUCH_TABLE, ER_BAD_DB_ERROR */
export function isAbsent(error: unknown): boolean {
  return [1146, 1049].includes(numberOf(error));
}

/**
 * One round trip; a history table that isn't there is an empty history.
 * @throws TenancyError `TENANCY_HOME_NOT_OURS`
 */
export async function readHistory(context: MigrateContext): Promise<TenantHistory> {
  const { connection } = context;
  let state: readonly Row[];
  let applied: readonly Row[] = [];
  try {
    const [first, second] = await connection.send(`${READ_STATE}; ${READ_APPLIED}`);
    state = first?.rows ?? [];
    applied = second?.rows ?? [];
  } catch (error) {
    if (!isAbsent(error)) throw error;
    state = await readRows(connection, READ_STATE).catch((again: unknown) => (isAbsent(again) ? [] : Promise.reject(again)));
  }
  checkMarker(context, context.marker.tenant, state);
  return {
    applied: applied.map(toApplied),
    seeds: state.filter(({ type }) => type === 'seed').map(({ name }) => String(name)),
    progress: findProgress(state, 'progress') ?? findProgress(state, 'seeding'),
    fence: Number(state.find(({ type }) => type === 'fence')?.fence ?? 0),
  };
}

/** `detail`: what the catalogue said about the things that the statement under way changes. */
export interface StoredProgress extends MigrationProgress {
  readonly detail: string | null;
}

export function findProgress(state: readonly Row[], type: 'progress' | 'seeding'): StoredProgress | null {
  const row = state.find((candidate) => candidate.type === type);
  if (row === undefined) return null;
  return {
    name: String(row.name),
    checksum: String(row.checksum),
    statementsDone: Number(row.statements_done),
    state: row.statement === 'started' ? 'started' : 'between',
    ...(type === 'seeding' ? { isSeed: true } : {}),
    detail: row.detail === null ? null : String(row.detail),
  };
}

/** @throws TenancyError `TENANCY_HOME_NOT_OURS` */
export function checkMarker(context: MigrateContext, tenant: string, state: readonly Row[]): void {
  const detail = state.find(({ type }) => type === 'marker')?.detail;
  if (detail === markerText(context)) return;
  const owner = describeOwner(parseMarker(typeof detail === 'string' ? detail : null), context.marker);
  throw new TenancyError('TENANCY_HOME_NOT_OURS', { tenant, name: context.deps.target.name, kind: 'database', owner });
}

function toApplied({ name, checksum, at, duration_ms, run_id }: Row): AppliedMigration {
  return {
    name: String(name),
    checksum: String(checksum),
    appliedAt: new Date(String(at)),
    durationMs: Number(duration_ms),
    runId: run_id === null ? null : String(run_id),
  };
}

/** What Prisma itself has in the tenant; a table that isn't there has nothing. */
export async function readMirror({ connection }: MigrateContext): Promise<readonly MirroredMigration[]> {
  try {
    const rows = await readRows(connection, READ_MIRROR);
    return rows.map(({ name, checksum, is_finished }) => ({
      name: String(name),
      checksum: String(checksum),
      isFinished: Number(is_finished) === 1,
    }));
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
