import type { TenantSession } from '../drivers/driver.js';
import { TenancyError } from '../errors.js';
import type { DeclaredMigrations } from './adopt.js';
import type { TenantScope } from './run-context.js';

/**
 * What Prisma has recorded in a tenant that it has run until now (`_prisma_migrations`), as those of our files: finished, not rolled back, and of the same
 * text. Folders that have been deleted since are passed over, as Prisma does; empty where it has never been here.
 * @throws TenancyError `TENANCY_MIGRATION_EDITED`, and `TENANCY_MIGRATOR_REFUSED` where one failed half way: what the tenant has of it nobody knows.
 */
export async function readMirrored(scope: TenantScope, session: TenantSession, local: DeclaredMigrations): Promise<DeclaredMigrations> {
  const mirrored = local.filter(({ mirror }) => mirror !== undefined);
  const rows = mirrored.length === 0 ? [] : ((await session.readMirror?.()) ?? []);
  const failed = rows.filter(({ isFinished }) => !isFinished).map(({ name }) => name);
  if (failed.length > 0) {
    throw new TenancyError('TENANCY_MIGRATOR_REFUSED', {
      tenant: scope.tenant.id,
      reason: `_prisma_migrations has ${failed.join(', ')} as failed half way`,
      advice: `look into the tenant and mend it, then say what it has with \`prisma migrate resolve\`, and run the same command again`,
    });
  }
  const recorded = new Map(rows.map(({ name, checksum }) => [name, checksum]));
  const applied = mirrored.filter(({ mirror }) => mirror !== undefined && recorded.has(mirror.name));
  const edited = applied.filter(({ mirror }) => recorded.get(mirror?.name ?? '') !== mirror?.checksum).map(({ name }) => name);
  if (edited.length > 0)
    throw new TenancyError('TENANCY_MIGRATION_EDITED', { migrations: edited, files: edited.map((name) => `${name}/migration.sql`) });
  const gone = rows.length - applied.length;
  if (gone > 0) scope.log(`${gone} of _prisma_migrations passed over: there is no folder of that name any more`);
  return applied;
}
