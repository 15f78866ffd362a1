import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { BackupFormat } from '../../drivers/driver.js';
import { TenancyError } from '../../errors.js';
import { DRIVER_NAMES, type DriverName } from '../../tenant.js';

/** What lies beside each backup: all that a restore has to know, so that it needs no registry. */
export interface BackupManifest {
  readonly v: 1;
  readonly id: string;
  readonly tenant: string;
  readonly incarnation: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly cluster: string;
  readonly driver: DriverName;
  /** The physical name that was dumped. */
  readonly name: string;
  readonly format: BackupFormat;
  /** In the folder of the manifest. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly engineVersion: string;
  readonly tool: string;
  readonly toolVersion: string | null;
  readonly schemaVersion: string | null;
  /** Digest of what the registry knew to be applied. */
  readonly migrationsHash: string | null;
  /** Digest of what the tenant's own history says was applied; null where it has none of ours. */
  readonly historyDigest: string | null;
  readonly registry: string;
  readonly run: string;
  readonly at: string;
}

export function manifestPath(backup: string): string {
  return `${backup}.json`;
}

/** Of a backup, or given the manifest itself. @throws TenancyError `TENANCY_BACKUP_NOT_FOUND`, `TENANCY_BACKUP_DAMAGED` */
export async function readManifest(file: string, tenant: string): Promise<{ readonly manifest: BackupManifest; readonly path: string }> {
  const manifestFile = file.endsWith('.json') ? file : manifestPath(file);
  let text: string;
  try {
    text = await readFile(manifestFile, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? `there is no ${manifestFile}, which says what it is` : `${manifestFile} can't be read (${code})`;
    throw new TenancyError('TENANCY_BACKUP_NOT_FOUND', { tenant, wanted: file, reason }, { cause: error });
  }
  const manifest = parseManifest(text);
  if (manifest === null) throw new TenancyError('TENANCY_BACKUP_DAMAGED', { path: manifestFile, reason: 'it is no manifest of a backup' });
  return { manifest, path: path.join(path.dirname(manifestFile), manifest.file) };
}

function parseManifest(text: string): BackupManifest | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const given = value as Partial<Record<keyof BackupManifest, unknown>>;
  const texts = [given.id, given.tenant, given.cluster, given.name, given.format, given.file, given.engineVersion, given.at];
  const isSound =
    given.v === 1 &&
    texts.every((one) => typeof one === 'string' && one !== '') &&
    typeof given.sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(given.sha256) &&
    DRIVER_NAMES.some((name) => name === given.driver) &&
    // Never out of its folder.
    path.basename(String(given.file)) === given.file &&
    !['.', '..'].includes(String(given.file));
  if (!isSound) return null;
  const labels = typeof given.labels === 'object' && given.labels !== null ? given.labels : {};
  return { ...(value as BackupManifest), labels: labels as BackupManifest['labels'] };
}
