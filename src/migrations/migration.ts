/** What is written in a tenant's history for one applied migration. */
export interface AppliedMigration {
  /** The file's name without its ending (or the folder's name, for folders of migrations). */
  readonly name: string;
  /** SHA-256 of the file's bytes, line endings normalised to LF; hex. */
  readonly checksum: string;
  readonly appliedAt: Date;
  readonly durationMs: number;
  readonly runId: string | null;
}

/** A no-transaction migration (or a whole one on engines that commit at each DDL statement) that was interrupted. */
export interface MigrationProgress {
  readonly name: string;
  /** Of a script: `digestOfSent`, of what the tenant has been sent of it. Of a module: that of its file. */
  readonly checksum: string;
  /** How many of its statements are known to be done. */
  readonly statementsDone: number;
  /** `started`: statement number `statementsDone` (from 0) was sent, and may or may not have run. */
  readonly state: 'between' | 'started';
  /** Not a migration but a seed, which waits for its own turn. @default false */
  readonly isSeed?: boolean;
}

/** The truth about one tenant, read from the tenant itself. */
export interface TenantHistory {
  /** In the order in which they were applied. */
  readonly applied: readonly AppliedMigration[];
  readonly seeds: readonly string[];
  readonly progress: MigrationProgress | null;
  /** Newest owner that wrote here. */
  readonly fence: number;
}

/**
 * The client that a migration module or hook is handed: bound to the tenant's schema or database. Parameters are written as the
 * engine has them: `$1` in PostgreSQL, `?` in MySQL.
 */
export interface TenantDb {
  query<Row = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<{ rows: Row[]; rowCount: number | null }>;
}

/** One local migration, loaded and checked; the unit that a session carries out. */
export interface LocalMigration {
  readonly name: string;
  /** Relative to the working directory, for messages. */
  readonly file: string;
  readonly checksum: string;
  readonly up: MigrationScript;
  readonly down: MigrationScript | null;
  /** A row in the history of the tool whose folder this is, written in the same transaction as ours, so that it agrees afterwards. */
  readonly mirror?: HistoryMirror;
}

/** `_prisma_migrations`, as `prisma migrate deploy` writes it. `checksum`: SHA-256 of the file's bytes as they are, hex. */
export interface HistoryMirror {
  readonly type: 'prisma';
  readonly name: string;
  readonly checksum: string;
}

export type MigrationScript =
  | {
      readonly type: 'sql';
      /** For messages, and for line and column. */
      readonly file: string;
      readonly sql: string;
      /** False with `-- tenancy: no-transaction`: one statement a step, progress kept in the tenant. */
      readonly isTransactional: boolean;
    }
  | {
      readonly type: 'module';
      readonly file: string;
      /** False with `export const transaction = false`. */
      readonly isTransactional: boolean;
      /** True with `export const transaction = true`: on MongoDB, where none is the rule, it has to be asked for. @default false */
      readonly requestsTransaction?: boolean;
      /** True with `export const rerunnable = true`: bears to be run again from the beginning after it was interrupted. Read on MongoDB. @default false */
      readonly isRerunnable?: boolean;
      /**
       * `db`: what the engine's modules are handed: a `TenantDb`, or the `Db` of MongoDB's own driver.
       * `context`: a `ModuleContext`; on MongoDB it also is the `MongoClient`, which is what migrate-mongo passes on there.
       */
      run(db: unknown, context: ModuleContext): Promise<void>;
    };

/** What a migration module is told besides its database. */
export interface ModuleContext {
  readonly tenant: string;
  readonly signal: AbortSignal;
  readonly log: (text: string) => void;
}

/** What to do to one tenant: pure data, made from local files and a history. */
export interface TenantMigrationPlan {
  readonly direction: 'up' | 'down';
  /** Newest applied before; null where nothing was. */
  readonly from: string | null;
  /** Newest applied after. */
  readonly to: string | null;
  /** In the order in which they are to be run. */
  readonly steps: readonly LocalMigration[];
  /** Applied migrations newer than the newest local file: the code was rolled back. A warning, not an error. */
  readonly ahead: readonly string[];
}
