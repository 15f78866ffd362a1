import type { DriverName } from '../../src/tenant.js';

export type SandboxDriver = DriverName;

/** What the registry says of a tenant. */
export interface SandboxTenant {
  readonly status: string;
  readonly schema_version: string | null;
}

/** What the registry says of a tenant's own login. */
export interface SandboxLogin {
  readonly current: string | null;
  readonly credentialRef: string | null;
  /** The one before, where it isn't retired yet. */
  readonly previous: string | null;
}

/** What a sandbox has its server do, each in the engine's own words and past our own code. `url`: of the sandbox's registry and cluster. */
export interface SandboxEngine {
  urlOf(serverUrl: string, name: string): string;
  /** Makes the database of that name, where the engine wants one made. */
  create(serverUrl: string, name: string): Promise<void>;
  query(url: string, sql: string, params?: unknown[]): Promise<unknown[]>;
  readTenant(url: string, id: string): Promise<SandboxTenant | undefined>;
  /** All that the registry says of a tenant, but for who holds it. */
  readRecord(url: string, id: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Null where it has none. */
  readLogin(url: string, id: string): Promise<SandboxLogin | null>;
  /** Reads a tenant's `counts` as that login; resolves to who the server takes it for. */
  logIn(homeUrl: string, login: { readonly name: string; readonly password: string }): Promise<string>;
  /** What its migrations have left in `counts`, as whoever the URL logs in. */
  readCounts(url: string): Promise<readonly string[]>;
  /** Of a tenant that is registered: grows with each lease, and stays when one ends. */
  readFence(url: string, id: string): Promise<number>;
  isLeased(url: string, id: string): Promise<boolean>;
  /** Where the registry is there. */
  expireLeases(url: string): Promise<void>;
  /** Drops all that carries the sandbox's name. */
  drop(serverUrl: string, name: string): Promise<void>;
}

export async function openSandboxEngine(driver: SandboxDriver): Promise<SandboxEngine> {
  switch (driver) {
    case 'mysql-database':
      return (await import('./sandbox-mysql.js')).mysqlSandbox;
    case 'mongodb-database':
      return (await import('./sandbox-mongodb.js')).mongodbSandbox;
    default:
      return (await import('./sandbox-postgres.js')).postgresSandbox;
  }
}
