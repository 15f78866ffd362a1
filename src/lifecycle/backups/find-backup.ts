import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../../errors.js';
import type { Registry } from '../../registry/registry.js';
import { folderOf } from './backup-folder.js';
import { type Digest, digestBackup } from './digest.js';
import { type BackupManifest, readManifest } from './manifest.js';

export interface FoundBackup {
  readonly manifest: BackupManifest;
  /** Absolute. */
  readonly path: string;
}

/**
 * A backup of this tenant: `last`, an id, or the path of a file (absolute, or relative to `cwd`). The registry may be one that knows nothing of it.
 * Of another tenant's it says so: under an id of its own it would be taken for that tenant's data.
 * @throws TenancyError `TENANCY_BACKUP_NOT_FOUND`, `TENANCY_BACKUP_DAMAGED`, `TENANCY_RESTORE_REFUSED`
 */
export async function findBackup(
  registry: Registry,
  tenant: string,
  wanted: string,
  { directory, cwd }: { readonly directory: string; readonly cwd: string },
): Promise<FoundBackup> {
  const found = await readManifest(await locate(registry, tenant, wanted, { directory, cwd }), tenant);
  const known = await registry.findBackup(found.manifest.id);
  if (known !== null && known.sha256 !== found.manifest.sha256) {
    const reason = `the registry has another digest of the backup ${known.id} than the manifest beside it`;
    throw new TenancyError('TENANCY_BACKUP_DAMAGED', { path: found.path, reason });
  }
  if (found.manifest.tenant === tenant) return found;
  const { tenant: of } = found.manifest;
  throw new TenancyError('TENANCY_RESTORE_REFUSED', {
    tenant,
    reason: `${found.path} is a backup of ${of}`,
    next: `to make a tenant ${tenant} of it: \`tenancy tenant restore ${of} --from ${wanted} --as ${tenant}\``,
  });
}

async function locate(
  registry: Registry,
  tenant: string,
  wanted: string,
  { directory, cwd }: { readonly directory: string; readonly cwd: string },
): Promise<string> {
  const inFolder = folderOf(directory, tenant);
  if (wanted === 'last') {
    const [newest] = await registry.listBackups(tenant, { limit: 1 });
    if (newest !== undefined) return atHome(newest.path, inFolder);
    const last = (await listManifests(inFolder)).at(-1);
    if (last !== undefined) return path.join(inFolder, last);
    throw new TenancyError('TENANCY_BACKUP_NOT_FOUND', { tenant, wanted, reason: `neither the registry nor ${inFolder} has any of it` });
  }
  if (/[\\/.]/.test(wanted)) return path.resolve(cwd, wanted);
  const known = await registry.findBackup(wanted);
  if (known !== null) return atHome(known.path, folderOf(directory, known.tenant));
  const named = (await listManifests(inFolder)).find((name) => name.includes(`-${wanted}.`));
  if (named !== undefined) return path.join(inFolder, named);
  throw new TenancyError('TENANCY_BACKUP_NOT_FOUND', { tenant, wanted, reason: `neither the registry nor ${inFolder} knows it` });
}

/** The path is that of the machine which made it; here the same directory may be mounted elsewhere. */
async function atHome(recorded: string, folder: string): Promise<string> {
  const here = path.join(folder, path.basename(recorded));
  const names = await readdir(path.dirname(recorded)).catch((): string[] => []);
  return names.includes(path.basename(recorded)) ? recorded : here;
}

/** In the order of their times. */
async function listManifests(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names.filter((name) => /^\d{8}T\d{6}Z-.*\.json$/.test(name)).sort();
}

/** Whether it is, to the last byte, what was backed up. @throws TenancyError `TENANCY_BACKUP_DAMAGED`, `TENANCY_BACKUP_NOT_FOUND` */
export async function checkDigest({ manifest, path: file }: FoundBackup, signal: AbortSignal): Promise<void> {
  let digest: Digest;
  try {
    digest = await digestBackup(file, signal);
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? `the file ${file} is not there` : message;
    throw new TenancyError('TENANCY_BACKUP_NOT_FOUND', { tenant: manifest.tenant, wanted: manifest.id, reason }, { cause: error });
  }
  if (digest.sha256 === manifest.sha256) return;
  const size = digest.bytes === manifest.bytes ? '' : `; it has ${digest.bytes} bytes instead of ${manifest.bytes}`;
  const reason = `its sha256 is ${digest.sha256}, and its manifest says ${manifest.sha256}${size}`;
  throw new TenancyError('TENANCY_BACKUP_DAMAGED', { path: file, reason });
}
