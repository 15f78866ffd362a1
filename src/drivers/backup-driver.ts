import type { Marker, TenantTarget } from './driver.js';

/**
 * `pg_dump-custom`: an archive that pg_restore reads. `mysqldump-sql`: SQL that names no database. `mongodump-folder`: a folder as mongodump
 * writes it, with a folder of the database's name in it.
 */
export type BackupFormat = 'pg_dump-custom' | 'mysqldump-sql' | 'mongodump-folder';

/**
 * Backups of one tenant by the engine's own tools. What comes of it is a file (or a folder) that those tools read without us.
 *
 * Every implementation promises:
 * - `check` finds out about a tool that is missing, or too old for the server, before anything is touched;
 * - no password is on a command line, and none is in an environment that another user of the machine may read;
 * - an abort kills the tool with all that it has started; what it says on stderr goes to `log`;
 * - no code that lives in the tenant is run with a superuser's rights, neither while it is dumped nor while it is loaded;
 * - `dump` takes one consistent picture (on MongoDB, one of each collection), writes to the path that it is given and nowhere else, and reads nobody's data but
 *   the tenant's;
 * - `restore` writes to the target's home, and to what is its own and carries its operation, and to no other tenant's.
 */
export interface BackupDriver {
  readonly format: BackupFormat;
  /** Ends the name of the file; empty for a folder. */
  readonly extension: string;
  /** What it makes is a folder. */
  readonly isFolder: boolean;
  /**
   * The tools there are for this server. Reads only.
   * @throws TenancyError `TENANCY_BACKUP_TOOL_MISSING`, `TENANCY_BACKUP_TOOL_REFUSED`
   */
  check(options: BackupCheck): Promise<BackupTools>;
  /**
   * Whether these tools can dump everything that is in this home, where not all of them can. Reads only.
   * @throws TenancyError `TENANCY_BACKUP_TOOL_MISSING`
   */
  checkHome?(target: TenantTarget, tools: BackupTools, signal: AbortSignal): Promise<void>;
  /**
   * Whether these tools can bring back everything that was dumped, where not all of them can. Reads the backup only.
   * @throws TenancyError `TENANCY_RESTORE_REFUSED`
   */
  checkSource?(tenant: string, source: BackupSource, tools: BackupTools): Promise<void>;
  /** The path is that of an empty file (a folder isn't there yet). What is at the path after a failure is the caller's to remove. */
  dump(target: TenantTarget, path: string, work: BackupWork): Promise<void>;
  /**
   * Fills the target's home, which `create` has made and which is empty. It may have another name than the one that was dumped.
   * The history that comes with it is given the fence. Interrupted, it leaves a home that has to be dropped, and `sweep` to be called.
   * @throws TenancyError `TENANCY_RESTORE_REFUSED` where what was dumped can't live under another name.
   */
  restore(target: TenantTarget, source: BackupSource, work: BackupWork & { readonly fence: number }): Promise<void>;
  /** Ends what an interrupted `dump` or `restore` of this operation still does. True: there is something for `sweep`. One round trip at the most where there is nothing. */
  stop(target: TenantTarget, signal: AbortSignal): Promise<boolean>;
  /** Ends and removes what an interrupted `dump` or `restore` of this operation may have left outside of the home: sessions, logins, a database in between. */
  sweep(target: TenantTarget, signal: AbortSignal): Promise<void>;
  /** Where something on the server is made for the tools: all of it that is there for this registry, also what is in use. Reads only. */
  listLeft?(registry: string): Promise<readonly LeftByTool[]>;
  /**
   * Where `restore` loads under another name than the home's: removes what an interrupted one of this operation has loaded. For one that never came to be
   * a tenant only: later, what carries its marker under another name is retained, or was put there by somebody.
   */
  sweepLoaded?(target: TenantTarget, signal: AbortSignal): Promise<void>;
}

/** What `sweep` takes away. */
export interface LeftByTool {
  readonly kind: 'login' | 'database';
  readonly name: string;
  /** Of the tenant that it was made for. */
  readonly marker: Marker;
}

export interface BackupCheck {
  readonly purpose: 'dump' | 'restore';
  /** Paths that the config gives, by the tool's name. */
  readonly paths: Readonly<Record<string, string>>;
  /** Of the tool that made what is to be restored, where one did: an older one may not read it. */
  readonly madeBy?: string | null;
  readonly signal: AbortSignal;
}

export interface BackupTools {
  readonly engineVersion: string;
  /** What dumps or restores, and its version, in words: `pg_dump 15.20 (/usr/bin/pg_dump)`. */
  readonly described: string;
  /** Of the tool; null where the driver does it by itself. */
  readonly version: string | null;
  /** Absolute paths by the tool's name. */
  readonly paths: Readonly<Record<string, string>>;
  /** Whose make they are, where there are several. */
  readonly flavours?: Readonly<Record<string, string>>;
}

export interface BackupWork {
  readonly tools: BackupTools;
  readonly lockTimeoutMs: number;
  /** A folder for what has to be written down on the way; its owner's alone, and removed by the caller. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  readonly log: (text: string) => void;
}

export interface BackupSource {
  readonly path: string;
  /** The physical name that was dumped. */
  readonly name: string;
}
