import type { Hook, ResolvedConfig } from '../config/types.js';
import type { DriverName } from '../tenant.js';
import { claimSpare } from './claim-spare.js';
import type { RecordedHistory } from './migrator.js';
import type { TenantScope } from './run-context.js';
import { findTemplate, forgetTemplate } from './templates.js';

export interface MadeHome {
  readonly how: 'created' | 'adopted' | 'copied' | 'from the pool';
  /** What it has already; null: nothing, or nobody knows. */
  readonly known: RecordedHistory | null;
}

/** A create hook of the user's; null where the driver's own way is meant. */
export function ownCreateHook({ hooks: { create } }: ResolvedConfig, driver: DriverName): Hook | null {
  return create === undefined || create.isOwnOf === driver ? null : create;
}

/**
 * The fastest way to a home that is there: one from the pool, or a copy of a template, or else one that is made.
 * @param ready what has to come through before the tenant has anything
 */
export async function makeHome(scope: TenantScope, ready: Promise<unknown>): Promise<MadeHome> {
  const { run, tenant, driver, target, signal } = scope;
  const { cluster } = tenant;
  if (run.config.clusters[cluster]?.pool?.driver === driver.name) {
    await ready;
    const claimed = await claimSpare(scope);
    if (claimed !== null) return { how: claimed.isAdopted ? 'adopted' : 'from the pool', known: claimed.known };
  }
  const template = await findTemplate({ run, cluster, driver, signal });
  const how = await driver.create(target, signal, { template: template?.home ?? null, ready });
  if (template !== null && how === 'created') forgetTemplate({ run, cluster }, template);
  return { how, known: how === 'copied' ? template : null };
}
