import type { OutcomeCounts, StampedRunEvent, TenantOutcome } from '../events.js';
import type { TenantDb } from '../migrations/migration.js';
import type { DriverName, Placement, Tenant, TenantSeed } from '../tenant.js';
import type { Share } from '../util/share.js';
import type { PoolConfig, TemplatesMode } from './ahead-types.js';
import type { BackupInfo, BackupsConfig, ResolvedBackups } from './backup-types.js';

export type { PoolConfig, TemplatesMode } from './ahead-types.js';
export type { BackupInfo, BackupsConfig } from './backup-types.js';

import type { Isolation, SecretsConfig } from './isolation-types.js';

export type {
  Isolation,
  SecretsCommand,
  SecretsConfig,
  SecretsDirectory,
  SecretsFunctions,
  StoredSecret,
  StoreSecret,
} from './isolation-types.js';

import type { Throttle, ThrottleHook } from './throttle-types.js';

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

/** What a run does for each tenant. A hook that is left out is the driver's own. */
export interface Hooks {
  readonly create?: Hook;
  readonly migrate?: MigrateHook;
  readonly seed?: Hook | readonly Hook[];
  readonly drop?: Hook;
  readonly backup?: Hook;
  /** Runs after migrate and seed of a provisioning; throws where the tenant isn't fit to be activated. */
  readonly verify?: Hook;
  readonly beforeCreate?: Hook;
  readonly afterCreate?: Hook;
  readonly beforeMigrate?: Hook;
  readonly afterMigrate?: Hook;
  readonly beforeSeed?: Hook;
  readonly afterSeed?: Hook;
  readonly beforeBackup?: Hook;
  readonly afterBackup?: Hook;
  readonly beforeVerify?: Hook;
  readonly afterVerify?: Hook;
  readonly beforeDrop?: Hook;
  readonly afterDrop?: Hook;
  /**
   * Asked between two waves of a migrate or rollback, after the soak. The run stops where it answers `false` or throws; what it throws
   * is said as the reason.
   */
  readonly gate?: GateHook;
  /** Told everything that happens; its own failures are a warning. */
  readonly onEvent?: (event: StampedRunEvent) => void | Promise<void>;
}

/** Runs one step for one tenant. May be run again after a crash, so it must bear that. What its promise resolves to is ignored. */
export interface Hook {
  (ctx: HookContext): Promise<unknown> | void;
  /** For tenants of this driver it does what is done without a hook, and nothing else, as those of `tenancy-cli/hooks`: the fastest way may be taken. */
  readonly isOwnOf?: DriverName;
}

export type GateHook = (gate: GateContext) => unknown;

/** What a gate may go by. */
export interface GateContext {
  /** The wave that has ended, counted from 1, and how many there are. */
  readonly wave: number;
  readonly waves: number;
  /** Of the tenants of that wave. */
  readonly counts: OutcomeCounts;
  /** The tenants of that wave that failed, as far as `--max-failures` bore them. */
  readonly failed: readonly TenantOutcome[];
  readonly runId: string;
  /** Aborts when the run is stopped: nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** A bare function runs every time and shows as `unversioned`. */
export type AnyMigrateHook = SqlMigrations | Migrator | Hook;

export type MigrateHook = AnyMigrateHook | MigrateByDriver;

/** For fleets of several engines, whose migrations can't be the same; as `byDriver()` makes it. */
export interface MigrateByDriver {
  readonly type: 'by-driver';
  readonly drivers: Readonly<Partial<Record<DriverName, AnyMigrateHook>>>;
}

/** The built-in migrator, as `sqlMigrations()` makes it. */
export interface SqlMigrations extends SqlMigrationsOptions {
  readonly type: 'sql-migrations';
}

export interface SqlMigrationsOptions {
  /** Relative to the config file. */
  readonly directory: string;
  /** `auto` recognises which: `docs/migrations.md` says by what. @default 'auto' */
  readonly format?: 'auto' | 'files' | 'prisma' | 'drizzle' | 'golang-migrate' | 'flyway';
  /** Lets files that name `"public".` be run in a tenant's schema instead. Schema tenants only. */
  readonly schemas?: { readonly public: 'tenant' };
}

/** Somebody else's migrator. */
export interface Migrator {
  readonly type: 'migrator';
  readonly name: string;
  run(ctx: HookContext): Promise<unknown>;
  /**
   * The newest version there is to reach; null: not known beforehand. Called once a run, before any tenant is touched: the place to
   * find a binary or a package, and to say what to install.
   */
  target(project: ProjectContext): Promise<string | null>;
  /** Read from the tenant itself, before and after; null: none. */
  readVersion(ctx: HookContext): Promise<string | null>;
  /**
   * Every version there is, oldest first. With it, tenants that the registry records as having them all are known to be done without
   * being asked; without it each is asked, every time.
   */
  versions?(project: ProjectContext): Promise<readonly string[]>;
  /**
   * Versions that the tenant lacks, oldest first, read from the tenant itself; for tools that also run one that was slipped in below the
   * newest. Without it, a tenant at the target is done. Called before and after, instead of nothing but `readVersion`.
   */
  pending?(ctx: HookContext): Promise<readonly string[]>;
  /** What its own lock covers; the fan-out caps concurrency by it. @default 'tenant' */
  readonly lockScope?: 'tenant' | 'database' | 'none';
  /** Connections that it opens itself for each tenant, besides `ctx.db`: a run that the server can't bear is refused before it starts. @default 1 */
  readonly connections?: number;
}

/** What is known before any tenant is. */
export interface ProjectContext {
  /** Directory of the config file: relative paths start there, and packages are looked for from there. */
  readonly root: string;
  readonly signal: AbortSignal;
  /**
   * Imports a module of the project's as the config itself is imported, TypeScript on every Node too. The path is relative to the config file.
   * For files only: packages are found by `createRequire` from `root`.
   */
  importModule(path: string): Promise<unknown>;
}

export interface HookContext {
  readonly tenant: Tenant;
  readonly placement: Placement;
  /** Directory of the config file. */
  readonly root: string;
  /** Bound to the tenant's schema or database; the connection is opened when first used. For engines that speak SQL. */
  readonly db: TenantDb;
  /** For a tenant on MongoDB: its `Db`, of the official driver (`ctx.mongo<Db>().collection('plans')`). Elsewhere it throws. */
  mongo<Db = unknown>(): Db;
  /** A connection URL for child processes and clients of your own. Carries a secret: never log it. */
  readonly url: string;
  /** The tenant's own login; null where it has none. What the hook itself runs with is the cluster's. */
  readonly login: HookLogin | null;
  /** For child processes: DATABASE_URL, TENANCY_TENANT, TENANCY_SCHEMA, TENANCY_DATABASE, TENANCY_RUN_ID. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a command without a shell, in that environment, its output in the tenant's log; killed with its whole group on abort. */
  exec(file: string, args?: readonly string[], options?: ExecOptions): Promise<{ readonly stdout: string; readonly exitCode: number }>;
  /** The driver's own way to do this step, for hooks that wrap it. */
  readonly driver: { readonly name: DriverName; create(): Promise<void>; drop(): Promise<void> };
  /** Runs a `.sql` file once in the tenant's life: recorded in the tenant, in the same transaction. Path relative to the config file. */
  seed(file: string): Promise<void>;
  /** Imports a module of the project's as the config itself is imported, TypeScript on every Node too. Path relative to the config file. */
  importModule(path: string): Promise<unknown>;
  readonly signal: AbortSignal;
  log(text: string): void;
  readonly dryRun: boolean;
  /** Newest migration before, and the one asked for; null where there is none. */
  readonly from: string | null;
  readonly to: string | null;
  readonly runId: string;
  /** In `afterBackup`: what was made, to be shipped elsewhere; null in every other hook, and where a `backup` hook of yours has made it. */
  readonly backup: BackupInfo | null;
}

export interface HookLogin {
  readonly user: string;
  /** Where its password is kept. */
  readonly ref: string;
  /** What the application connects by. Carries a password: never log it. */
  url(): Promise<string>;
}

export interface ExecOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** A function form of the config. */
export type TenancyConfigFunction = (context: {
  readonly command: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}) => TenancyConfig | Promise<TenancyConfig>;

export interface ResolvedCluster {
  readonly url: UrlSource;
  readonly concurrency: number;
  readonly region: string | null;
  readonly pool: PoolConfig | null;
  readonly isolation: Isolation;
  readonly throttles: readonly ResolvedThrottle[];
}

/** One of the two is null. */
export interface ResolvedThrottle {
  readonly sql: string | null;
  readonly check: ThrottleHook | null;
  readonly everyMs: number;
}

/** A config after loading: merged, checked, with every default filled in and every path absolute. */
export interface ResolvedConfig {
  /** Absolute path of the file, or null for a config that was passed as an object. */
  readonly file: string | null;
  /** Directory that relative paths start from. */
  readonly root: string;
  readonly registry: { readonly url: UrlSource };
  readonly clusters: Readonly<Record<string, ResolvedCluster>>;
  /** Always a function here; checks its answer (known cluster, driver, a legal physical name). */
  place(seed: TenantSeed): Placement;
  /** What `place` is made of, where the config has no function; for `config print`. */
  readonly placementTemplate: PlacementTemplate | null;
  readonly hooks: Omit<Hooks, 'seed'> & { readonly seed: readonly Hook[] };
  readonly extensionsSchema: string;
  readonly templates: TemplatesMode;
  readonly allowMixedCaseNames: boolean;
  /** The directory of files is absolute. */
  readonly secrets: SecretsConfig | null;
  readonly defaults: {
    readonly concurrency: number | null;
    readonly retries: number;
    readonly timeoutMs: number | null;
    readonly lockTimeoutMs: number;
    readonly statementTimeoutMs: number | null;
    readonly leaseWaitMs: number;
    /** How far each wave reaches, the canary first; empty where all go at once. */
    readonly waves: readonly Share[];
    readonly soakMs: number;
    /** Null: a deprovisioned tenant is dropped at once. */
    readonly retainForMs: number | null;
    readonly executor: Executor;
  };
  readonly logsDirectory: string;
  readonly backups: ResolvedBackups | null;
}
