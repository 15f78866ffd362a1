import type { ResolvedConfig } from '../../config/types.js';
import { createRunMigrator } from '../../lifecycle/migrator.js';
import { FEWEST_MIGRATIONS, listPreparable } from '../../lifecycle/templates.js';
import type { Tenancy } from '../../tenancy.js';
import type { DriverName } from '../../tenant.js';
import { type Finding, failedBy, ok, warning } from './findings.js';

/** How far tenants that are databases are copied from templates; nothing to say where there are none. */
export async function checkTemplates(config: ResolvedConfig, drivers: ReadonlySet<DriverName>): Promise<readonly Finding[]> {
  const driver = 'postgres-database';
  if (!drivers.has(driver) || config.hooks.migrate === undefined) return [];
  try {
    const migrator = await createRunMigrator(config, { direction: 'up', to: null, allowOutOfOrder: false, forceVerify: false });
    const { type, declared } = migrator.forDriver(driver);
    if (config.templates === false || type !== 'built-in') return [];
    const count = listPreparable({ config, migrator }, driver, false).steps.length;
    const next = declared[count]?.name;
    const isUsed = config.templates === 'always' ? count > 0 : count >= FEWEST_MIGRATIONS;
    const rest = next === undefined ? '' : `; each tenant runs those from ${next} on itself, which does more than define`;
    if (isUsed) return [ok('templates', `new databases are copied with ${count} of ${declared.length} migrations${rest}`)];
    return declared.length < FEWEST_MIGRATIONS ? [] : [ok('templates', `none: ${next} does more than define, and comes too early`)];
  } catch {
    // That the migrations can't be read is said of them.
    return [];
  }
}

/** Whether the pools of the config are full. */
export async function checkPools(tenancy: Tenancy): Promise<readonly Finding[]> {
  const clusters = Object.entries(tenancy.config.clusters).filter(([, { pool }]) => pool !== null);
  return Promise.all(clusters.map(([cluster]) => checkPool(tenancy, cluster)));
}

async function checkPool(tenancy: Tenancy, cluster: string): Promise<Finding> {
  const name = `pool.${cluster}`;
  try {
    const [pool] = await tenancy.readPool({ cluster });
    const { ready = 0, size = 0, stale = 0, broken = [] } = pool ?? {};
    const parts = [
      `${ready} of ${size} ready`,
      ...(stale > 0 ? [`${stale} for older migrations`] : []),
      ...(broken.length > 0 ? [`${broken.length} broken`] : []),
    ];
    const isWell = ready >= size && broken.length === 0;
    return isWell ? ok(name, parts.join(', ')) : warning(name, parts.join(', '), 'tenancy pool fill');
  } catch (error) {
    return failedBy(name, error);
  }
}
