import type { BackupFormat } from '../drivers/driver.js';
import type { DriverName, TenantId } from '../tenant.js';

/** A backup that was made: where it lies, and what is in it. The file's own manifest says the same. */
export interface Backup {
  readonly id: string;
  readonly tenant: TenantId;
  readonly incarnation: number;
  readonly cluster: string;
  readonly driver: DriverName;
  /** Absolute, on the machine that made it. */
  readonly path: string;
  readonly format: BackupFormat;
  /** Of the file; of a folder, that of the list of its files' digests. */
  readonly sha256: string;
  readonly bytes: number;
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
  readonly runId: string;
  /** By the registry's clock, when it was recorded. */
  readonly at: Date;
}

export type NewBackup = Omit<Backup, 'at'>;

/** The part of the registry's contract that is about backups. An entry outlives its tenant; nothing here touches a file. */
export interface BackupBook {
  /** Sent again after a lost answer it changes nothing. */
  recordBackup(backup: NewBackup): Promise<void>;
  /** Of all lives of this id, newest first. */
  listBackups(tenant: string, page: { readonly limit: number }): Promise<readonly Backup[]>;
  findBackup(id: string): Promise<Backup | null>;
}

/** How an SQL store has it. */
export interface BackupRow<Time> {
  readonly [column: string]: unknown;
  readonly id: string;
  readonly tenant: string;
  readonly incarnation: number;
  readonly cluster: string;
  readonly driver: string;
  readonly path: string;
  readonly format: string;
  readonly sha256: string;
  readonly bytes: number | string;
  readonly schema_version: string | null;
  readonly migrations_hash: string | null;
  readonly run_id: string;
  readonly at: Time;
}

export function toBackup<Time>(row: BackupRow<Time>, toDate: (time: Time) => Date): Backup {
  return {
    id: row.id,
    tenant: row.tenant as TenantId,
    incarnation: row.incarnation,
    cluster: row.cluster,
    driver: row.driver as DriverName,
    path: row.path,
    format: row.format as BackupFormat,
    sha256: row.sha256,
    bytes: Number(row.bytes),
    schemaVersion: row.schema_version,
    migrationsHash: row.migrations_hash,
    runId: row.run_id,
    at: toDate(row.at),
  };
}
