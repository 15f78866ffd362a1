import type { BackupFormat } from '../../drivers/driver.js';
import type { DriverName, TenantId } from '../../tenant.js';
import type { Backup, BackupBook } from '../backups.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import type { BackupDocument } from './documents.js';
import { codeOf } from './failures.js';
import { tick } from './tick.js';

const DUPLICATE_KEY = 11_000;

export function createBackupBook(db: RegistryConnection): BackupBook {
  const { backups } = db.collections;
  return {
    recordBackup: async ({ id, ...backup }) => {
      const { now, first } = await db.send(() => tick(db, 1));
      await db.send(() =>
        backups.insertOne({ _id: id, sequence: first, at: now, ...backup }).catch((error: unknown) => {
          // Sent again after a lost answer.
          if (codeOf(error) !== DUPLICATE_KEY) throw error;
        }),
      );
    },
    listBackups: async (tenant, { limit }) => {
      const found = await db.send(() => backups.find({ tenant }, IN_ONE_BATCH).sort({ sequence: -1 }).limit(limit).toArray());
      return found.map(toBackup);
    },
    findBackup: async (id) => {
      const found = await db.send(() => backups.findOne({ _id: id }));
      return found === null ? null : toBackup(found);
    },
  };
}

function toBackup({ _id: id, sequence: _, bytes, tenant, driver, format, ...rest }: BackupDocument): Backup {
  return {
    id,
    ...rest,
    tenant: tenant as TenantId,
    driver: driver as DriverName,
    format: format as BackupFormat,
    bytes: Number(bytes),
  };
}
