import type { ApplyOptions, TenantSession } from '../drivers/driver.js';
import type { TenantMigrationPlan } from './migration.js';

export interface ApplyPlanOptions extends ApplyOptions {
  readonly signal: AbortSignal;
}

export async function applyPlan(session: TenantSession, plan: TenantMigrationPlan, options: ApplyPlanOptions): Promise<void> {
  if (plan.direction === 'up') await session.applyMigrations(plan.steps, options);
  else await session.revertMigrations(plan.steps, options);
}
