import type { Backup } from '../../registry/registry.js';
import { formatBytes } from '../format.js';
import type { Palette } from '../palette.js';
import { sanitizeLine } from '../sanitize.js';
import { printTime, Table } from './table.js';

export interface BackupDocument {
  readonly id: string;
  readonly at: string;
  readonly incarnation: number;
  readonly cluster: string;
  readonly driver: string;
  readonly path: string;
  readonly format: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
  readonly run: string;
}

/** `tenancy tenant backups`. */
export interface BackupListDocument {
  readonly v: 1;
  readonly tenant: string;
  /** Newest first. */
  readonly backups: readonly BackupDocument[];
}

export function toBackupDocument({ tenant: _, runId, at, ...backup }: Backup): BackupDocument {
  return { ...backup, at: at.toISOString(), run: runId };
}

export function toBackupListDocument(tenant: string, backups: readonly Backup[]): BackupListDocument {
  return { v: 1, tenant, backups: backups.map(toBackupDocument) };
}

export function printBackupList({ tenant, backups }: BackupListDocument, palette: Palette): readonly string[] {
  if (backups.length === 0) return [`${sanitizeLine(tenant)} has no backups`];
  return printBackups(backups, palette);
}

export function printBackups(backups: readonly BackupDocument[], palette: Palette): readonly string[] {
  const table = new Table(['BACKUP', 'AT', 'VERSION', 'SIZE', 'FILE'].map((text) => ({ text, isNumber: text === 'SIZE' })));
  const rows = backups.map(({ id, at, schemaVersion, bytes, path }) => [
    { text: id },
    { text: printTime(at), paint: palette.dim },
    { text: schemaVersion ?? '-' },
    { text: formatBytes(bytes), isNumber: true },
    { text: path },
  ]);
  const lines = table.print(rows);
  return [table.printHeader(palette), ...lines];
}
