import type { AnyMigrateHook, ResolvedConfig } from '../config/types.js';
import { historyDigest } from '../migrations/history-digest.js';
import type { LocalMigration, TenantHistory } from '../migrations/migration.js';
import type { MigrationDrift } from '../migrations/plan-drift.js';
import type { Preparable } from '../migrations/preparable.js';
import type { DriverName, Tenant } from '../tenant.js';
import { createBuiltInMigrator } from './built-in-migrator.js';
import { combineMigrators } from './combine-migrators.js';
import { createForeignMigrator } from './foreign-migrator.js';
import { NOTHING_PREPARABLE, type PreparableMigrations } from './preparable-migrations.js';
import type { ReferencePlan } from './reference-plan.js';
import type { TenantScope, WorkResult } from './run-context.js';

/** How a run brings one tenant to its version; made once a run, from the config and the flags. */
export interface DriverMigrator {
  readonly type: 'none' | 'built-in' | 'foreign';
  /** Name of the version asked for; null where it isn't known beforehand. */
  readonly target: string | null;
  /** `historyDigest` of a tenant that is at the target; null where the registry can't tell who is there. */
  readonly targetDigest: string | null;
  /** Every migration up to the target, in order; empty where they aren't known. */
  readonly declared: readonly Pick<LocalMigration, 'name' | 'checksum' | 'mirror'>[];
  readonly lockScope: 'tenant' | 'database' | 'none';
  /** That it opens itself for each tenant, beyond those of the cluster's budget. */
  readonly connections: number;
  /** Refuses files that can't be run for tenants of this driver, before any tenant is touched. @throws TenancyError */
  check(driver: DriverName): Promise<void>;
  /** What the registry is to say of a tenant with this history. */
  describe(applied: readonly { readonly name: string; readonly checksum: string }[]): NonNullable<WorkResult['version']>;
  /** How a tenant's history and the files differ; null where there are no files of ours. */
  findDrift(history: TenantHistory): MigrationDrift | null;
  /** What makes of an empty home one that has these: of the files as they are, where they are what was applied. */
  planReference(applied: readonly { readonly name: string; readonly checksum: string }[]): ReferencePlan;
  /** What it is, in a word or two: by this a saved plan knows it again. */
  readonly identity: string;
  /** Digests of all that a run could carry out or count on, for the same. */
  readonly contents: readonly { readonly name: string; readonly digest: string }[];
  /**
   * What would be done to a tenant that the registry records like this, without asking it; null where only the tenant can say.
   * Throws what `plan` would.
   */
  planRecorded(recorded: RecordedHistory): MigrationOutline | null;
  /** What would be done, read from the tenant itself, without writing anything. */
  plan(scope: TenantScope): Promise<MigrationOutline>;
  migrate(scope: TenantScope, options: MigrateTenantOptions): Promise<WorkResult>;
  /** What may be carried out ahead, in a home that is no tenant's yet: the first so many of `declared`. */
  listPreparable(what: Preparable, home: { readonly isSchema: boolean }): PreparableMigrations;
}

export interface MigrateTenantOptions {
  /** The tenant was just created, so its history is expected to be empty. */
  readonly isNew: boolean;
  readonly onVersion: OnVersion;
  /** What its home is known to have, since it was just made from one that had this; nobody has written to it since. @default null */
  readonly known?: RecordedHistory | null;
}

/** The migrator of a whole run: the same for every tenant, or one for each driver, and then `target` and its digest say what they have in common. */
export interface RunMigrator extends DriverMigrator {
  forDriver(driver: DriverName): DriverMigrator;
}

/** What the registry says of a tenant that is where this migrator would bring it; null where it can't know. */
export function targetOf({ target, targetDigest }: DriverMigrator): NonNullable<WorkResult['version']> | null {
  return targetDigest === null ? null : { schemaVersion: target, migrationsHash: targetDigest };
}

export interface RecordedHistory {
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
}

export interface MigrationOutline {
  readonly from: string | null;
  readonly to: string | null;
  readonly migrations: readonly string[];
}

/** Told the version that a tenant is now known to have, also when a later migration fails. */
export type OnVersion = (version: { readonly schemaVersion: string | null; readonly migrationsHash: string }) => void;

export interface MigratorOptions {
  readonly direction: 'up' | 'down';
  readonly to: string | null;
  readonly allowOutOfOrder: boolean;
  /** Reads every tenant's own history, also where the registry knows better. */
  readonly forceVerify: boolean;
  /** Told what is about to be done to a tenant; throws where the run may not do that, and then nothing was done. @default anything may be done */
  readonly admit?: (tenant: Tenant, outline: MigrationOutline) => void;
}

export async function createRunMigrator(config: ResolvedConfig, options: MigratorOptions): Promise<RunMigrator> {
  const hook = config.hooks.migrate;
  if (hook === undefined) return noMigrator;
  if (typeof hook === 'function' || hook.type !== 'by-driver') return forEveryDriver(await createOne(config, hook, options));
  const entries = Object.entries(hook.drivers) as [DriverName, AnyMigrateHook][];
  const made = await Promise.all(entries.map(async ([driver, one]) => [driver, await createOne(config, one, options)] as const));
  return combineMigrators(new Map(made));
}

function createOne(config: ResolvedConfig, hook: AnyMigrateHook, options: MigratorOptions): Promise<DriverMigrator> {
  if (typeof hook !== 'function' && hook.type === 'sql-migrations') return createBuiltInMigrator(config, hook, options);
  return createForeignMigrator(config, hook, options);
}

function forEveryDriver(migrator: DriverMigrator): RunMigrator {
  return { ...migrator, forDriver: () => migrator };
}

/** For configs without migrations: tenants are created empty. */
export const noMigrator: RunMigrator = forEveryDriver({
  type: 'none',
  target: null,
  targetDigest: null,
  declared: [],
  lockScope: 'none',
  connections: 0,
  identity: 'no migrator',
  contents: [],
  findDrift: () => null,
  planReference: () => ({
    status: 'none',
    reason: 'the config has no migrations',
    next: 'say where they are (`migrations.directory`), or `--skip-structure` leaves this note out',
  }),
  planRecorded: () => ({ from: null, to: null, migrations: [] }),
  check: async () => undefined,
  describe: (applied) => ({ schemaVersion: applied.at(-1)?.name ?? null, migrationsHash: historyDigest(applied) }),
  plan: async () => ({ from: null, to: null, migrations: [] }),
  migrate: async () => ({ outcome: 'up-to-date', from: null, to: null }),
  listPreparable: () => NOTHING_PREPARABLE,
});
