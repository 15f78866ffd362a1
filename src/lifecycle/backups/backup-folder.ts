import { chmod, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../../errors.js';
import { type Digest, digestBackup, syncEntry, syncToDisk } from './digest.js';
import { type BackupManifest, manifestPath } from './manifest.js';

/** What isn't whole yet ends in this. */
const PARTIAL = '.partial';

/** Where the backups of one tenant lie, and the one that is being made. */
export interface BackupDraft {
  /** To be written to: an empty file, or a folder that isn't there yet. */
  readonly path: string;
  /** Where it will be. */
  readonly finalPath: string;
  /** Has it kept by the disk, and says what it is. */
  seal(signal: AbortSignal): Promise<Digest>;
  /** Gives it its name, after that of its manifest: whoever sees the one finds the other. */
  publish(manifest: BackupManifest): Promise<void>;
  /** Nothing of it is left. Not for one that has been published: it is whole, whoever knows of it. */
  discard(): Promise<void>;
}

export function folderOf(directory: string, tenant: string): string {
  return path.join(directory, tenant);
}

/** `20261129T004157Z` */
function formatStamp(at: Date): string {
  return `${at.toISOString().replace(/[-:]/g, '').slice(0, 15)}Z`;
}

/**
 * Finds out whether one could be written there. Makes the folder, and nothing else.
 * @throws TenancyError `TENANCY_BACKUP_DIRECTORY_REJECTED`
 */
export async function checkDirectory(directory: string, id: string): Promise<void> {
  const probe = path.join(directory, `.tenancy-${id}${PARTIAL}`);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await (await open(probe, 'wx', 0o600)).close();
  } catch (error) {
    throw new TenancyError('TENANCY_BACKUP_DIRECTORY_REJECTED', { directory, reason: describeFileError(error) }, { cause: error });
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

/**
 * Begins one, under a name that tells that it isn't whole. What an earlier attempt on this tenant has left is removed: its lease is this process's
 * now. `owner`: the registry's id, since two may share a directory.
 */
export async function beginDraft(
  directory: string,
  { tenant, id, at, extension, isFolder, owner }: BackupName & { readonly isFolder: boolean; readonly owner: string },
): Promise<BackupDraft> {
  const folder = folderOf(directory, tenant);
  const name = [`${formatStamp(at)}-${id}`, extension].filter((part) => part !== '').join('.');
  const mark = markOf(owner);
  const [draft, finalPath] = [path.join(folder, `${name}${mark}`), path.join(folder, name)];
  const draftManifest = `${manifestPath(finalPath)}${mark}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeDrafts(directory, tenant, owner);
  if (!isFolder) await (await open(draft, 'wx', 0o600)).close();
  return {
    path: draft,
    finalPath,
    seal: async (signal) => {
      await chmod(draft, isFolder ? 0o700 : 0o600);
      await syncToDisk(draft);
      return digestBackup(draft, signal);
    },
    publish: async (manifest) => {
      await writeFile(draftManifest, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
      await syncToDisk(draftManifest);
      await rename(draftManifest, manifestPath(finalPath));
      await rename(draft, finalPath);
      await syncEntry(folder);
    },
    discard: async () => {
      await rm(draft, { recursive: true, force: true });
      await rm(draftManifest, { force: true });
      await rm(finalPath, { recursive: true, force: true });
      await rm(manifestPath(finalPath), { force: true });
    },
  };
}

/** What was never whole; the folder, and what is whole in it, stays. */
export async function removeDrafts(directory: string, tenant: string, owner: string): Promise<void> {
  const folder = folderOf(directory, tenant);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const left of names) {
    if (left.endsWith(markOf(owner))) await rm(path.join(folder, left), { recursive: true, force: true });
  }
}

/** Ends the name of what isn't whole. Two registries may share a directory. */
function markOf(owner: string): string {
  return `.${owner.slice(0, 8)}${PARTIAL}`;
}

interface BackupName {
  readonly tenant: string;
  readonly id: string;
  readonly at: Date;
  readonly extension: string;
}

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'it is read-only',
  ENOTDIR: 'a part of its path is no folder',
  EEXIST: 'there is a file of that name',
};

export function describeFileError(error: unknown): string {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  return WORDS[code] ?? message;
}
