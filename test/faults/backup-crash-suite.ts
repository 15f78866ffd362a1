import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { checksumContentsOf } from '../rig/checksum-contents.js';
import type { Sandbox, SandboxDriver, SandboxProjectOptions } from '../rig/sandbox.js';
import { deprovision } from './fixtures.js';
import { isWholeSweep, type SweptCommand, sampleOf, sweep } from './sweep.js';
import { type FaultSuite, usePlace } from './use-place.js';

/** Of the config of whoever is backed up. */
export const configExtra = `backups: { directory: './backups' },`;

const removalOf = (id: string): readonly string[] => ['tenant', 'deprovision', id, '--confirm', id];

/** The way on which nothing may be lost: closed, backed up, and then dropped. */
export const removal: SweptCommand = { ...deprovision, name: 'deprovision with its backup', args: removalOf('acme') };

/** What the backup of a removal has to bring back is there before it. */
async function watchBackup(sandbox: Sandbox): Promise<() => Promise<void>> {
  const before = await checksumContentsOf(sandbox, 'acme');
  return async () => {
    const { exitCode, stderr } = await sandbox.run(['tenant', 'restore', 'acme']);
    if (exitCode !== 0) throw new Error(`its backup can't be restored: the restore ended with ${exitCode}:\n${stderr}`);
    if ((await checksumContentsOf(sandbox, 'acme')) !== before) throw new Error('its backup is not what was there before the drop');
  };
}

/** Commands for tenants of whom `version` is the newest. */
export function commandsAt(version: string): Readonly<Record<'backup' | 'givenUp' | 'restore' | 'copy' | 'renaming', SweptCommand>> {
  const ends = { status: 'active', schema_version: version };
  const backup: SweptCommand = { name: 'backup', args: ['tenant', 'backup', 'acme'], prepared: ['bystander', 'acme'], ends };
  const copy: SweptCommand = {
    name: 'restore beside the one that was backed up',
    args: ['tenant', 'restore', 'original', '--as', 'acme'],
    prepared: ['bystander', 'original'],
    arranged: [['tenant', 'backup', 'original']],
    isRefusedWhenDone: true,
    ends,
  };
  return {
    backup,
    // Nobody makes that backup again: what is left of it is the removal's to find.
    givenUp: { ...backup, name: 'backup, then the removal without one', followedBy: deprovision.args, ends: deprovision.ends },
    restore: {
      name: 'restore',
      args: ['tenant', 'restore', 'acme'],
      prepared: ['bystander', 'acme'],
      arranged: [removalOf('acme')],
      isRefusedWhenDone: true,
      ends,
    },
    // The one that was backed up has its name: on PostgreSQL by way of a database of its own.
    copy,
    // Under the name that was dumped, which is free, and renamed.
    renaming: { ...copy, name: 'restore under another name', arranged: [removalOf('original')] },
  };
}

export interface BackupSuite extends FaultSuite {
  /** What a tool or we have left on the server, in a few words. */
  findLeft(serverUrl: string): Promise<readonly string[]>;
}

export function describeBackups({ findLeft, ...suite }: BackupSuite): void {
  describe('18 backup: killed anywhere in a backup, a restore or the removal after a backup, the same command once more ends as if nothing had happened', {
    timeout: isWholeSweep ? 3_600_000 : 300_000,
  }, () => {
    const place = usePlace(suite);

    it.concurrent.for(sampleOf(suite.swept, 2))('$command.name by $driver', async (swept, { task }) => {
      // The registry's part of it is that of any other command, which the crash sweep tries request by request.
      const sampled = isWholeSweep
        ? { isWhole: false, oneOf: 3, requests: Number.POSITIVE_INFINITY }
        : { requests: swept.command === removal ? 3 : 2 };
      const options = { ...sampled, ...(swept.command === removal ? { watch: watchBackup } : {}) };
      const result = await sweep(place.projectOf(swept), place.serverUrl, swept.driver, swept.command, options);
      task.meta.points = { tried: result.points, converged: result.converged };
      expect(result.failures).toEqual([]);
      expect(result.points).toBeGreaterThan(0);
    });

    it('leaves nothing on the server, and no part of a file', async () => {
      expect(await findLeft(place.serverUrl)).toEqual([]);
      const folders = suite.swept.map((swept) => path.join(place.projectOf(swept).project.directory, 'backups'));
      const files = folders.filter(existsSync).flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }));
      expect(files.filter((name) => name.endsWith('.partial'))).toEqual([]);
    });
  });
}

export function sweptBy(driver: SandboxDriver, project: SandboxProjectOptions, commands: readonly SweptCommand[]): FaultSuite['swept'] {
  return commands.map((command) => ({ driver, command, project }));
}
