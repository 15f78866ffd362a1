import { isTenancyError, TenancyError } from '../../../errors.js';
import type { MigrationScript } from '../../../migrations/migration.js';
import type { ApplyOptions } from '../../driver.js';
import { requireModule } from './apply-migrations.js';
import { applyStep } from './apply-step.js';
import type { MigrateContext } from './context.js';
import { readGuarded, readHistory, withSeed } from './history.js';

export interface Seed {
  readonly name: string;
  readonly checksum: string;
  readonly script: MigrationScript;
}

export type SeedOptions = Partial<Pick<ApplyOptions, 'tenant' | 'publicTo' | 'log'>>;

/** Runs a seed unless its name is recorded. One that threw is run again; one whose process was killed is unknown, as a migration is. */
export async function applySeed(
  migrate: MigrateContext,
  seed: Seed,
  { tenant = migrate.target.marker.tenant, log = () => {} }: SeedOptions = {},
): Promise<boolean> {
  const { name, checksum } = seed;
  const script = requireModule(seed.script);
  const home = await readGuarded(migrate, { tenant, expectedDigest: null });
  if (home.seeds.some((done) => done.name === name)) return false;
  try {
    const step = { name, checksum, script, direction: 'up', isSeed: true } as const;
    await applyStep(migrate, step, () => ({ seeds: withSeed({ name, checksum }) }), { tenant, log }, home);
  } catch (error) {
    if (isTenancyError(error, 'TENANCY_MIGRATION_FAILED'))
      throw new TenancyError('TENANCY_SEED_FAILED', { ...error.details, seed: name }, { cause: error.cause });
    if (isTenancyError(error, 'TENANCY_STATEMENT_TIMED_OUT'))
      throw new TenancyError('TENANCY_STATEMENT_TIMED_OUT', { ...error.details, kind: 'seed' }, { cause: error.cause });
    if (isTenancyError(error, 'TENANCY_HISTORY_MOVED') && (await readHistory(migrate)).seeds.includes(name)) return false;
    throw error;
  }
  return true;
}
