import { DatabaseError } from 'pg';
import type { HistoryMirror, LocalMigration } from '../../../migrations/migration.js';
import type { MirroredMigration } from '../../driver.js';
import type { MigrateContext } from './context.js';
import { readRows } from './send-message.js';

/** The change of our own history behind that of the tool's, where the migration has one; the first of a call makes the table too. */
export function withMirror(
  { mirrorSql }: MigrateContext,
  migrations: readonly LocalMigration[],
  change: 'record' | 'forget',
): (migration: LocalMigration, own: string) => string {
  const first = migrations.find(({ mirror }) => mirror !== undefined);
  return (migration, own) => {
    const { mirror } = migration;
    if (mirror === undefined) return own;
    return [...(migration === first ? [mirrorSql.create] : []), mirrorSql[change](mirror), own].join(';');
  };
}

/** What the tool itself has in the tenant; a table that isn't there has nothing. */
export async function readMirror({ deps, mirrorSql }: MigrateContext): Promise<readonly MirroredMigration[]> {
  try {
    const rows = await readRows(deps.client, mirrorSql.read);
    return rows.map(([name, checksum, state]) => ({ name: name ?? '', checksum: checksum ?? '', isFinished: state === 'finished' }));
  } catch (error) {
    if (error instanceof DatabaseError && (error.code === '42P01' || error.code === '3F000')) return [];
    throw error;
  }
}

/** Rows for what is declared to be applied, and is not in the table. */
export function declareMirrors({ mirrorSql }: MigrateContext, mirrors: readonly HistoryMirror[]): readonly string[] {
  return mirrors.length === 0 ? [] : [mirrorSql.create, ...mirrors.map((mirror) => mirrorSql.declare(mirror))];
}
