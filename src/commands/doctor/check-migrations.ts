import type { ResolvedConfig } from '../../config/types.js';
import { createRunMigrator, type DriverMigrator } from '../../lifecycle/migrator.js';
import type { DriverName } from '../../tenant.js';
import { type Finding, failedBy, ok, warning } from './findings.js';

/** Whether the migrations can be read, and which is the newest; what is inside of them is checked where they are to run. */
export async function checkMigrations(config: ResolvedConfig): Promise<Finding> {
  try {
    const migrator = await createRunMigrator(config, { direction: 'up', to: null, allowOutOfOrder: false, forceVerify: false });
    if (config.hooks.migrate && typeof config.hooks.migrate !== 'function' && config.hooks.migrate.type === 'by-driver') {
      const drivers = Object.keys(config.hooks.migrate.drivers) as DriverName[];
      return ok('migrations', drivers.map((driver) => `${driver}: ${describe(migrator.forDriver(driver))}`).join('; '));
    }
    if (migrator.type === 'none') {
      return warning('migrations', 'none: tenants are created empty', "add migrations: { directory: './migrations/tenant' } to the config");
    }
    return ok('migrations', describe(migrator));
  } catch (error) {
    return failedBy('migrations', error);
  }
}

function describe({ type, target, declared }: DriverMigrator): string {
  if (type === 'foreign') return `run by a migrate hook${target === null ? '' : `, up to ${target}`}`;
  return `${declared.length}, up to ${target}`;
}
