import { type BackupBook, type BackupRow, toBackup } from '../backups.js';
import type { Row as AnyRow } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { READING } from './rows.js';

type Row = BackupRow<Date> & AnyRow;

const SELECT = `
  SELECT id, tenant, incarnation, cluster, driver, path, format, sha256, bytes, schema_version, migrations_hash, run_id, at
    FROM tenancy_backups`;

export function createBackupBook(db: RegistryConnection): BackupBook {
  return {
    recordBackup: async (backup) => {
      const { id, tenant, incarnation, cluster, driver, path, format, sha256, bytes, schemaVersion, migrationsHash, runId } = backup;
      await db.transact([
        {
          // Not IGNORE, which would also cut short what is too long.
          sql: `INSERT INTO tenancy_backups (id, tenant, incarnation, cluster, driver, path, format, sha256, bytes, schema_version, migrations_hash, run_id)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE id = tenancy_backups.id`,
          params: [id, tenant, incarnation, cluster, driver, path, format, sha256, bytes, schemaVersion, migrationsHash, runId],
        },
      ]);
    },
    listBackups: async (tenant, { limit }) => {
      const rows = await db.read<Row>(`${SELECT} WHERE tenant = ? ORDER BY sequence DESC LIMIT ?`, [tenant, limit]);
      return rows.map((row) => toBackup(row, READING.toDate));
    },
    findBackup: async (id) => {
      const [row] = await db.read<Row>(`${SELECT} WHERE id = ?`, [id]);
      return row === undefined ? null : toBackup(row, READING.toDate);
    },
  };
}
