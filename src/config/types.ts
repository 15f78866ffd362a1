import type { DriverName, Placement, TenantSeed } from '../tenant.js';
import type { PoolConfig, TemplatesMode } from './ahead-types.js';
import type { BackupsConfig } from './backup-types.js';
import type { Hooks, SqlMigrationsOptions } from './hook-types.js';
import type { Isolation, SecretsConfig } from './isolation-types.js';
import type { Throttle } from './throttle-types.js';

export type { PoolConfig, TemplatesMode } from './ahead-types.js';
export type { BackupInfo, BackupsConfig } from './backup-types.js';
export type {
  AnyMigrateHook,
  ExecOptions,
  GateContext,
  GateHook,
  Hook,
  HookContext,
  HookLogin,
  Hooks,
  MigrateByDriver,
  MigrateHook,
  Migrator,
  ProjectContext,
  SqlMigrations,
  SqlMigrationsOptions,
} from './hook-types.js';
export type {
  Isolation,
  SecretsCommand,
  SecretsConfig,
  SecretsDirectory,
  SecretsFunctions,
  StoredSecret,
  StoreSecret,
} from './isolation-types.js';
export type { ResolvedConfig, ResolvedThrottle } from './resolved-types.js';
export type { Throttle, ThrottleContext, ThrottleHook } from './throttle-types.js';

/** A URL, or a function that fetches one (from a secret store, say); it is called once a command. */
export type UrlSource = string | (() => string | Promise<string>);

/** Milliseconds as a number, or with a unit: `'500ms'`, `'30s'`, `'10m'`, `'1h'`. */
export type Duration = string | number;

/** The default export of `tenancy.config.ts`. */
export interface TenancyConfig {
  /** Where tenants are registered. @default the first cluster's server */
  readonly registry?: { readonly url?: UrlSource };
  readonly clusters: Readonly<Record<string, ClusterConfig>>;
  /** Where a new tenant goes. Pure; what it returned at provisioning is recorded. */
  readonly placement: PlacementFunction | PlacementTemplate;
  /** Short for `hooks.migrate: sqlMigrations({…})`. */
  readonly migrations?: SqlMigrationsOptions;
  /** Short for `hooks.seed: sqlSeed(…)`. */
  readonly seeds?: string | readonly string[];
  readonly hooks?: Hooks;
  readonly extensions?: { /** @default 'extensions' */ readonly schema?: string };
  /** Whether tenants are copied from templates. @default 'auto' */
  readonly templates?: TemplatesMode;
  /** Whether each tenant is given a login of its own. @default 'none' */
  readonly isolation?: Isolation;
  /** Where the passwords of these logins are put; needed with `isolation: 'role'`. */
  readonly secrets?: SecretsConfig;
  /** Lets a physical name have capital letters. @default false */
  readonly allowMixedCaseNames?: boolean;
  /** Defaults of the flags of the same names. Flag > `TENANCY_*` variable > this. */
  readonly defaults?: RunDefaults;
  /** Where the log file of each tenant goes. @default '.tenancy/logs' */
  readonly logs?: string;
  /** Where backups are kept, and which tools make them. @default none: then only a backup hook makes any */
  readonly backups?: BackupsConfig;
}

export interface ClusterConfig {
  /** `postgres://…`, `mysql://…` or `mongodb://…` with the rights to create tenants, or `embedded:DIR`. */
  readonly url: UrlSource;
  /** Tenants in flight on this cluster, never exceeded in a run. @default 8 */
  readonly concurrency?: number;
  /** Homes made ahead on it, for new tenants to be given one in a moment. @default none */
  readonly pool?: PoolConfig;
  readonly region?: string;
  /** @default the config's */
  readonly isolation?: Isolation;
  /**
   * Asked before tenants of a migrate or a rollback are started here; as long as one of them has a reason to wait, none is, here and nowhere else.
   * What is in flight goes on. @default none
   */
  readonly throttle?: Throttle | readonly Throttle[];
}

export type PlacementFunction = (tenant: TenantSeed) => Placement;

/** For JSON and YAML: `{id}` in the name stands for the tenant's id in lower case. */
export interface PlacementTemplate {
  readonly cluster: string;
  readonly driver: DriverName;
  readonly name: string;
}

export interface RunDefaults {
  /** Tenants in flight over all clusters. @default the sum of the clusters' */
  readonly concurrency?: number;
  /** Further attempts after a failure that is worth retrying. @default 3 */
  readonly retries?: number;
  /** Of one tenant. @default none */
  readonly timeout?: Duration;
  /** @default '5s' */
  readonly lockTimeout?: Duration;
  /** @default none */
  readonly statementTimeout?: Duration;
  /** @default '20s', the lease and 5 s */
  readonly leaseWait?: Duration;
  /** For migrate and rollback: so many tenants (`1`), or such a share of them (`'5%'`), before all others. @default none */
  readonly canary?: number | string;
  /** How far each wave reaches: `'1,10%,100%'`. @default none, all at once */
  readonly waves?: number | string;
  /** Between two waves. @default none */
  readonly soak?: Duration;
  /** For deprovision: how long a tenant is kept, closed, before it may be purged: `'30d'`. @default none, it is dropped at once */
  readonly retain?: Duration;
  /** For migrate and rollback: in this process, or by whatever `tenancy worker` processes there are. @default 'local' */
  readonly executor?: Executor;
}

export type Executor = 'local' | 'pg-boss';

/** A function form of the config. */
export type TenancyConfigFunction = (context: {
  readonly command: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}) => TenancyConfig | Promise<TenancyConfig>;
