import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import { execForTenant, searchPath } from '../util/exec.js';

export interface FoundTool {
  readonly path: string;
  /** As it says of itself: `pg_dump (PostgreSQL) 15.20`. */
  readonly text: string;
  /** The first number with a dot in it, or the first number. */
  readonly version: string;
  readonly major: number;
}

/** A path that the config gives, or else every program of these names in the folders and on `PATH`, in that order; those that say their version. */
export async function* findTools(
  names: readonly string[],
  where: { readonly configured: string | undefined; readonly folders?: readonly string[]; readonly signal: AbortSignal },
): AsyncGenerator<FoundTool> {
  const { folders, endings } = searchPath();
  const candidates =
    where.configured === undefined
      ? [...(where.folders ?? []), ...folders].flatMap((folder) =>
          names.flatMap((name) => endings.map((ending) => path.join(folder, name + ending))),
        )
      : [where.configured];
  for (const candidate of new Set(candidates)) {
    if (!(await isExecutable(candidate))) continue;
    const found = await askVersion(candidate, where.signal);
    if (found !== null) yield found;
  }
}

async function askVersion(file: string, signal: AbortSignal): Promise<FoundTool | null> {
  const cwd = path.dirname(file);
  const answer = await execForTenant(file, ['--version'], { cwd, env: {}, signal, onOutput: () => undefined }).catch(() => null);
  signal.throwIfAborted();
  const text = answer?.stdout.split('\n')[0]?.trim() ?? '';
  const version = /\d+(\.\d+)+/.exec(text)?.[0] ?? /\d+/.exec(text)?.[0];
  return version === undefined ? null : { path: file, text, version, major: Number.parseInt(version, 10) };
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
