import { type BackupBook, type BackupRow, toBackup } from '../backups.js';
import type { RegistryConnection } from './connection.js';
import { selectMs, toDate } from './rows.js';

type Row = BackupRow<number>;

const SELECT = `
  SELECT id, tenant, incarnation, cluster, driver, path, format, sha256, bytes, schema_version, migrations_hash, run_id, ${selectMs('at', 'at')}
    FROM tenancy.backups`;

export function createBackupBook(db: RegistryConnection): BackupBook {
  return {
    recordBackup: async (backup) => {
      const { id, tenant, incarnation, cluster, driver, path, format, sha256, bytes, schemaVersion, migrationsHash, runId } = backup;
      await db.query(
        `INSERT INTO tenancy.backups (id, tenant, incarnation, cluster, driver, path, format, sha256, bytes, schema_version, migrations_hash, run_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING`,
        [id, tenant, incarnation, cluster, driver, path, format, sha256, bytes, schemaVersion, migrationsHash, runId],
      );
    },
    listBackups: async (tenant, { limit }) => {
      const rows = await db.query<Row>(`${SELECT} WHERE tenant = $1 ORDER BY sequence DESC LIMIT $2`, [tenant, limit]);
      return rows.map((row) => toBackup(row, toDate));
    },
    findBackup: async (id) => {
      const [row] = await db.query<Row>(`${SELECT} WHERE id = $1`, [id]);
      return row === undefined ? null : toBackup(row, toDate);
    },
  };
}
