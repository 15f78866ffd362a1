import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/** Builds the command line where `dist/` is older than the sources. */
export async function buildIfStale(root: string): Promise<void> {
  const built = await stat(path.join(root, 'dist/cli.js')).catch(() => undefined);
  const newest = Math.max(
    ...(await Promise.all(['src', 'hooks', '.ci/build', '.ci/build.mjs'].map((name) => newestChangeMs(path.join(root, name))))),
  );
  if (built !== undefined && built.mtimeMs > newest) return;
  await promisify(execFile)(process.execPath, [path.join(root, '.ci/build.mjs'), '--no-types'], { cwd: root });
}

async function newestChangeMs(file: string): Promise<number> {
  const { mtimeMs } = await stat(file);
  const entries = await readdir(file, { recursive: true, withFileTypes: true }).catch(() => []);
  const inside = entries.map(async (entry) => (await stat(path.join(entry.parentPath, entry.name)).catch(() => undefined))?.mtimeMs ?? 0);
  return Math.max(mtimeMs, ...(await Promise.all(inside)));
}
