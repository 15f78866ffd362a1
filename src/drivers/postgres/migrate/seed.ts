import { isTenancyError, TenancyError } from '../../../errors.js';
import type { LocalMigration, MigrationScript } from '../../../migrations/migration.js';
import type { ApplyOptions } from '../../driver.js';
import type { MigrateContext } from './context.js';
import { readHistory } from './read-history.js';
import { runSegments } from './run-segments.js';
import { toSegments } from './steps.js';

export interface Seed {
  readonly name: string;
  readonly checksum: string;
  readonly script: MigrationScript;
}

export type SeedOptions = Partial<Pick<ApplyOptions, 'tenant' | 'publicTo' | 'log'>>;

/** Runs a seed unless its name is recorded; recorded with it in one transaction, so that two that race run it once. */
export async function applySeed(
  context: MigrateContext,
  seed: Seed,
  { tenant = context.deps.historySchema, publicTo = null, log = () => {} }: SeedOptions = {},
): Promise<boolean> {
  const { name, checksum, script } = seed;
  if ((await readHistory(context)).seeds.includes(name)) return false;
  const step: LocalMigration = { name, file: script.file, checksum, up: script, down: null };
  const options: ApplyOptions = { expectedDigest: null, tenant, publicTo, log, onMigration: () => {} };
  try {
    await runSegments(
      context,
      toSegments(context, [{ migration: step, script }], publicTo),
      { direction: 'up', record: () => context.sql.recordSeed(seed), onDone: () => {} },
      options,
    );
  } catch (error) {
    if (isTenancyError(error, 'TENANCY_MIGRATION_FAILED'))
      throw new TenancyError('TENANCY_SEED_FAILED', { ...error.details, seed: name }, { cause: error.cause });
    if (isTenancyError(error, 'TENANCY_STATEMENT_TIMED_OUT'))
      throw new TenancyError('TENANCY_STATEMENT_TIMED_OUT', { ...error.details, kind: 'seed' }, { cause: error.cause });
    if (isTenancyError(error, 'TENANCY_LOCK_TIMED_OUT'))
      throw new TenancyError('TENANCY_LOCK_TIMED_OUT', { ...error.details, kind: 'seed' }, { cause: error.cause });
    if (isTenancyError(error, 'TENANCY_HISTORY_MOVED')) return false;
    throw error;
  }
  return true;
}
