import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import path from 'node:path';

export interface Digest {
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Of a file. Of a folder: of the lines that `sha256sum` writes for its files, sorted by their names, so that anybody can reckon it:
 * `find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum`.
 */
export async function digestBackup(file: string, signal: AbortSignal): Promise<Digest> {
  if (!(await lstat(file)).isDirectory()) return digestFile(file, signal);
  const names = await listFiles(file);
  let bytes = 0;
  const lines: string[] = [];
  for (const name of names) {
    const digest = await digestFile(path.join(file, name), signal);
    bytes += digest.bytes;
    lines.push(`${digest.sha256}  ${name}\n`);
  }
  return { sha256: createHash('sha256').update(lines.join('')).digest('hex'), bytes };
}

/** Relative, with slashes, in the order of their bytes. */
async function listFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

async function digestFile(file: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(file, { signal })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** Has the disk keep it, with all that is in it. */
export async function syncToDisk(file: string): Promise<void> {
  if ((await lstat(file)).isDirectory()) {
    for (const name of await readdir(file)) await syncToDisk(path.join(file, name));
  }
  await syncEntry(file);
}

/** Of a folder: which names are in it, and not what they name. */
export async function syncEntry(file: string): Promise<void> {
  const isFolder = (await lstat(file)).isDirectory();
  // A folder can't be opened on Windows, which keeps no such promise anyway.
  const handle = await open(file, 'r').catch((error: unknown) => {
    if (isFolder) return null;
    throw error;
  });
  if (handle === null) return;
  try {
    await handle.sync();
  } catch (error) {
    if (!isFolder) throw error;
  } finally {
    await handle.close();
  }
}
