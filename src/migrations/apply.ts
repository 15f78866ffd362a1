import type { ApplyOptions, TenantSession } from '../drivers/driver.js';
import type { TenantMigrationPlan } from './migration.js';

export interface ApplyPlanOptions extends ApplyOptions {
  readonly signal: AbortSignal;
}

/** Also called ahead, so that it is loaded while servers answer. */
export async function loadUmzug(): Promise<typeof import('./umzug.js')> {
  return import('./umzug.js');
}

/**
 * Runs a plan over umzug, whose bookkeeping is the tenant's own history: which are executed was settled by the plan, and is checked by
 * `expectedDigest`; a row is written with the work it stands for, so nothing is left to log.
 * The first migration that umzug calls takes all others along, since one message carries them; for those it is done when their turn comes.
 */
export async function applyPlan(session: TenantSession, plan: TenantMigrationPlan, options: ApplyPlanOptions): Promise<void> {
  const { direction, steps } = plan;
  if (steps.length === 0) return;
  const { MigrationError, Umzug } = await loadUmzug();
  let sent: Promise<void> | null = null;
  const carryOut = (): Promise<void> => {
    sent ??= direction === 'up' ? session.applyMigrations(steps, options).then(() => {}) : session.revertMigrations(steps, options);
    return sent;
  };
  const names = steps.map(({ name }) => name);
  const umzug = new Umzug({
    migrations: steps.map(({ name }) => ({ name, up: carryOut, down: carryOut })),
    storage: { executed: async () => (direction === 'up' ? [] : names), logMigration: async () => {}, unlogMigration: async () => {} },
    context: {},
    logger: undefined,
  });
  options.signal.throwIfAborted();
  try {
    await umzug[direction]({ migrations: names });
  } catch (error) {
    // umzug names the migration that it called, ours the one that failed.
    throw error instanceof MigrationError ? error.cause : error;
  }
}
