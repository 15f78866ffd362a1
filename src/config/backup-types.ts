export type BackupTool = 'pg_dump' | 'pg_restore' | 'mariadb-dump' | 'mariadb' | 'mongodump' | 'mongorestore';

/** With it, and without a `backup` hook, the tool makes backups itself. */
export interface BackupsConfig {
  /** Relative to the config file. */
  readonly directory: string;
  /**
   * Paths of tools that aren't on `PATH`, or not in the version that is wanted, relative to the config file: `{ pg_dump: '/usr/lib/postgresql/17/bin/pg_dump' }`.
   * @default those on `PATH`, and Debian's
   */
  readonly tools?: Readonly<Partial<Record<BackupTool, string>>>;
}

/** A backup that the tool has made itself. */
export interface BackupInfo {
  readonly id: string;
  /** Of the file or folder, absolute. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

export interface ResolvedBackups {
  readonly directory: string;
  readonly tools: Readonly<Record<string, string>>;
}
