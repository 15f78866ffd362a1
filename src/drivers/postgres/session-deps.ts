import type { Client } from 'pg';
import type { TenantDb } from '../../migrations/migration.js';
import type { Marker, SessionOptions } from '../driver.js';

/**
 * What the migration part of a PostgreSQL session stands on, for either kind of home.
 * The session has `client` for itself while it is lent, and leaves it outside of a transaction and without session state.
 */
export interface MigrationSessionDeps {
  /** Connected to the tenant's database. On abort of `options.signal` its lender cancels the statement and destroys it. */
  readonly client: Client;
  /** What the home has to carry, or nothing is read of it or written to it. */
  readonly marker: Marker;
  /** Where the history tables are: the tenant's schema, or `_tenancy` in a tenant's database. Not quoted. */
  readonly historySchema: string;
  /** For `SET LOCAL search_path`, not quoted. Null in a tenant's database: its own stays untouched. */
  readonly searchPath: readonly string[] | null;
  /** Where CREATE EXTENSION is carried out, not quoted. Null: where it says itself. */
  readonly extensionsSchema: string | null;
  /** Hashed into the tenant's advisory lock. */
  readonly lockKey: string;
  readonly options: SessionOptions;
  /** `server_version_num`: 150018. */
  readonly serverVersion: number;
  /** Bound to the tenant, each query a transaction of its own; on the same client. */
  readonly db: TenantDb;
  /** Names of the extensions that this process has made sure of in this database; shared by its sessions. */
  readonly ensuredExtensions: Set<string>;
}
