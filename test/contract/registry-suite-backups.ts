import { describe, expect, test } from 'vitest';
import type { NewBackup } from '../../src/registry/registry.js';
import { parseTenantId } from '../../src/tenant.js';
import { type Scene, uniqueId } from './registry-rig.js';

function backupOf(tenant: string, more: Partial<NewBackup> = {}): NewBackup {
  return {
    id: uniqueId('b'),
    tenant: parseTenantId(tenant),
    incarnation: 1,
    cluster: 'main',
    driver: 'postgres-schema',
    path: `/backups/${tenant}/ü x.dump`,
    format: 'pg_dump-custom',
    sha256: 'a'.repeat(64),
    bytes: 5_000_000_000,
    schemaVersion: '0001_a',
    migrationsHash: 'b'.repeat(64),
    runId: 'r_1',
    ...more,
  };
}

/** Backups that were made. */
export function describeBackups(scene: Scene): void {
  describe('backups', () => {
    test('are listed newest first, of one tenant, also of one that the registry never had', async () => {
      const { registry } = scene();
      const [tenant, other] = [uniqueId('t'), uniqueId('t')];
      const first = backupOf(tenant);
      const second = backupOf(tenant, { incarnation: 2, schemaVersion: null, migrationsHash: null });
      for (const backup of [first, second, backupOf(other)]) await registry.recordBackup(backup);
      const at = expect.any(Date);
      expect(await registry.listBackups(tenant, { limit: 10 })).toEqual([
        { ...second, at },
        { ...first, at },
      ]);
      expect(await registry.listBackups(tenant, { limit: 1 })).toEqual([{ ...second, at }]);
      expect(await registry.listBackups(uniqueId('t'), { limit: 1 })).toEqual([]);
      expect(await registry.findBackup(first.id)).toEqual({ ...first, at });
      expect(await registry.findBackup('none')).toBeNull();
    });

    test('are recorded once, however often that is sent', async () => {
      const { registry } = scene();
      const backup = backupOf(uniqueId('t'));
      await Promise.all([registry.recordBackup(backup), registry.recordBackup(backup)]);
      await registry.recordBackup({ ...backup, bytes: 1 });
      expect(await registry.listBackups(backup.tenant, { limit: 10 })).toMatchObject([{ id: backup.id, bytes: 5_000_000_000 }]);
    });
  });
}
