import { TenancyError } from '../../../errors.js';
import { checkProgress } from '../../../migrations/plan-progress.js';
import type { HomeDocument } from '../home.js';
import { applyAlone, type RecordStep, type StepDone } from './apply-alone.js';
import { applyInTransaction } from './apply-transaction.js';
import type { MigrateContext } from './context.js';
import { changeHome } from './history.js';
import type { ModuleStep, Told } from './run-module.js';

/** Runs one module in the way it asks for, after what an earlier attempt has left is settled. */
export async function applyStep(
  migrate: MigrateContext,
  step: ModuleStep,
  record: RecordStep,
  told: Told,
  home: HomeDocument,
): Promise<StepDone> {
  if (isDone(step, home, told.tenant)) {
    return { home: await changeHome(migrate, { tenant: told.tenant, home, change: { ...record(0), progress: null } }), durationMs: 0 };
  }
  return step.script.requestsTransaction === true
    ? applyInTransaction(migrate, step, record, told, home)
    : applyAlone(migrate, step, record, told, home);
}

/**
 * Whether somebody has said that an interrupted step had been done.
 * @throws TenancyError `TENANCY_MIGRATION_UNKNOWN`, `TENANCY_MIGRATION_PROGRESS_DRIFTED`
 */
function isDone(
  { name, checksum, script, direction, isSeed }: ModuleStep,
  { progress, migrations }: HomeDocument,
  tenant: string,
): boolean {
  if (progress === null) return false;
  if (progress.isSeed && !(isSeed && progress.name === name)) throw unknown(tenant, progress.name, progress.name);
  if (!progress.isSeed) {
    const isApplied = migrations.some((migration) => migration.name === progress.name);
    checkProgress(progress, { name, checksum, file: script.file, up: script, down: null }, direction, isApplied, [checksum]);
  }
  if (progress.statementsDone > 0) return true;
  if (progress.state === 'started' && script.isRerunnable !== true) throw unknown(tenant, name, script.file);
  return false;
}

function unknown(tenant: string, migration: string, file: string): TenancyError {
  return new TenancyError('TENANCY_MIGRATION_UNKNOWN', { tenant, migration, file, line: 1, statement: `all of ${file}` });
}
