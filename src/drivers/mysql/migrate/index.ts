import type { TenantSession } from '../../driver.js';
import type { MigrationSessionDeps } from '../run-session.js';

export function createMigrationSession(_deps: MigrationSessionDeps): Omit<TenantSession, 'db'> {
  return {} as Omit<TenantSession, 'db'>;
}
