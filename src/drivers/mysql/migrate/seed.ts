import { isTenancyError, TenancyError } from '../../../errors.js';
import type { LocalMigration, MigrationScript } from '../../../migrations/migration.js';
import { checkMysqlScript } from '../../../migrations/sql/mysql/check.js';
import type { ApplyOptions } from '../../driver.js';
import { runStep } from './apply-migrations.js';
import type { MigrateContext } from './context.js';
import { recordSeed } from './history-sql.js';
import { findProgress, readHistory } from './read-history.js';
import { withTenantLock } from './tenant-lock.js';

export interface Seed {
  readonly name: string;
  readonly checksum: string;
  readonly script: MigrationScript;
}

/** Runs a seed unless its name is recorded; under the tenant's lock, so that two that race run it once. */
export async function applySeed(
  context: MigrateContext,
  seed: Seed,
  { tenant = context.marker.tenant, log = () => {} }: Partial<Pick<ApplyOptions, 'tenant' | 'log'>> = {},
): Promise<boolean> {
  const { name, checksum, script } = seed;
  if (script.type === 'sql') checkMysqlScript(script);
  if ((await readHistory(context)).seeds.includes(name)) return false;
  const migration: LocalMigration = { name, file: script.file, checksum, up: script, down: null };
  try {
    return await withTenantLock(context, { tenant, expectedDigest: null }, async ({ state }) => {
      if (state.some((row) => row.type === 'seed' && row.name === name)) return false;
      const progress = findProgress(state, 'seeding');
      const run = {
        migration,
        direction: 'up',
        progressType: 'seeding',
        progress,
        isApplied: false,
        prepare: [],
        record: [recordSeed(seed)],
      } as const;
      await runStep(context, script, run, { tenant, log });
      return true;
    });
  } catch (error) {
    if (isTenancyError(error, 'TENANCY_MIGRATION_FAILED'))
      throw new TenancyError('TENANCY_SEED_FAILED', { ...error.details, seed: name }, { cause: error.cause });
    if (isTenancyError(error, 'TENANCY_STATEMENT_TIMED_OUT'))
      throw new TenancyError('TENANCY_STATEMENT_TIMED_OUT', { ...error.details, kind: 'seed' }, { cause: error.cause });
    if (isTenancyError(error, 'TENANCY_LOCK_TIMED_OUT'))
      throw new TenancyError('TENANCY_LOCK_TIMED_OUT', { ...error.details, kind: 'seed' }, { cause: error.cause });
    throw error;
  }
}
