import type { AppliedMigration, LocalMigration, MigrationScript, TenantDb, TenantHistory } from '../migrations/migration.js';

export interface SessionOptions {
  /** The lease's fence: a session whose fence is smaller than the tenant's newest writes nothing. */
  readonly fence: number;
  readonly runId: string | null;
  readonly lockTimeoutMs: number;
  /** Null: none. */
  readonly statementTimeoutMs: number | null;
  readonly signal: AbortSignal;
}

/** One connection, bound to one tenant, for as long as `withSession` lends it. */
export interface TenantSession {
  /** For engines that speak SQL; elsewhere it refuses with `TENANCY_QUERY_REFUSED`. */
  readonly db: TenantDb;
  /** Reads the history from the tenant itself; an absent history table is an empty history, and nothing is written. */
  readHistory(): Promise<TenantHistory>;
  /**
   * Applies the steps in order, each with its history row (and the check of the fence) in a transaction of its own where the engine can,
   * all of them in as few round trips as the protocol allows. Creates the history where it isn't.
   * `expectedDigest`: `historyDigest` of what the caller planned on; where the tenant's differs nothing runs.
   * On failure what was applied before stays applied and recorded.
   * @throws MigrationFailure; TenancyError `TENANCY_HISTORY_MOVED`, `TENANCY_FENCE_LOST`, `TENANCY_MIGRATION_UNKNOWN`.
   */
  applyMigrations(steps: readonly LocalMigration[], options: ApplyOptions): Promise<readonly AppliedMigration[]>;
  /** Runs the down script of each, in the order given, and removes its history row. */
  revertMigrations(steps: readonly LocalMigration[], options: ApplyOptions): Promise<void>;
  /** Runs a seed exactly once: its name is recorded in the same transaction. False: it had been run before. */
  applySeed(
    seed: { readonly name: string; readonly checksum: string; readonly script: MigrationScript },
    options?: Partial<Pick<ApplyOptions, 'tenant' | 'publicTo' | 'log'>>,
  ): Promise<boolean>;
  /** Records migrations as applied without running them (`registry adopt --applied-up-to`), also in their mirror, where they have one and it lacks them. */
  recordApplied(migrations: readonly Pick<LocalMigration, 'name' | 'checksum' | 'mirror'>[]): Promise<void>;
  /** What the history of the tool that ran here before says (`_prisma_migrations`), in its order; without those that were rolled back. Reads only. */
  readMirror?(): Promise<readonly MirroredMigration[]>;
  /** Settles an interrupted statement: `applied` counts it as done, `rerun` sends it again with the next migrate. */
  resolveProgress(answer: 'applied' | 'rerun'): Promise<void>;
}

export interface MirroredMigration {
  /** As the tool has it. */
  readonly name: string;
  readonly checksum: string;
  /** False: it failed half way, or is being run. */
  readonly isFinished: boolean;
}

export interface ApplyOptions {
  readonly expectedDigest: string | null;
  readonly tenant: string;
  /** `tenant`: scripts that name the schema `public` mean the tenant's. Schema tenants only. @default null, refused */
  readonly publicTo?: 'tenant' | null;
  readonly onMigration: (migration: { readonly name: string; readonly ms: number }) => void;
  /** Told what the server says beside its answers too (notices, warnings), up to a thousand lines. */
  readonly log: (text: string) => void;
}
