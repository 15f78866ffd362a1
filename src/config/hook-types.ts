import type { StampedRunEvent } from '../events.js';
import type { TenantDb } from '../migrations/migration.js';
import type { OutcomeCounts, TenantOutcome } from '../outcome.js';
import type { DriverName, Placement, Tenant } from '../tenant.js';
import type { BackupInfo } from './backup-types.js';

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
