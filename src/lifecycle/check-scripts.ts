import { engineOf } from '../drivers/names.js';
import { TenancyError } from '../errors.js';
import type { LocalMigration } from '../migrations/migration.js';
import { checkSqlScript } from '../migrations/sql/check.js';
import { checkMysqlScript } from '../migrations/sql/mysql/check.js';
import type { DriverName } from '../tenant.js';

/** Refuses the first script that can't be run for tenants of this driver; pure but for loading the engine's own rules. */
export async function checkScripts(local: readonly LocalMigration[], driver: DriverName, publicTo: 'tenant' | null): Promise<void> {
  const engine = engineOf(driver);
  for (const { up, down } of local) {
    for (const script of [up, down]) {
      if (script?.type !== 'sql') continue;
      if (engine === 'mongodb') throw new TenancyError('TENANCY_MIGRATION_SQL_REFUSED', { file: script.file, driver });
      if (engine === 'mysql') checkMysqlScript(script);
      if (engine === 'postgres') checkSqlScript(script, { isSchemaTenant: driver === 'postgres-schema', publicTo });
    }
  }
}
