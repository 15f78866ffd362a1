import type { ResolvedConfig } from '../../config/types.js';
import { createRunMigrator } from '../../lifecycle/migrator.js';
import { type Finding, failedBy, ok, warning } from './findings.js';

/** Whether the migrations can be read, and which is the newest; what is inside of them is checked where they are to run. */
export async function checkMigrations(config: ResolvedConfig): Promise<Finding> {
  try {
    const migrator = await createRunMigrator(config, { direction: 'up', to: null, allowOutOfOrder: false, forceVerify: false });
    if (migrator.type === 'none') {
      return warning('migrations', 'none: tenants are created empty', "add migrations: { directory: './migrations/tenant' } to the config");
    }
    if (migrator.type === 'foreign')
      return ok('migrations', `run by a migrate hook${migrator.target === null ? '' : `, up to ${migrator.target}`}`);
    return ok('migrations', `${migrator.declared.length}, up to ${migrator.target}`);
  } catch (error) {
    return failedBy('migrations', error);
  }
}
