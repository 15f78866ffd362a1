import { mkdir, open, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../../errors.js';

export interface NewFile {
  /** Relative to `cwd`, or absolute. */
  readonly file: string;
  readonly text: string;
}

/**
 * Writes all files, or none: each only where there is none of that name, and where one fails those before it are taken back.
 * `append` is written before the last of the files, so that one that is cut short is made whole by running it again.
 * @throws TenancyError `TENANCY_FILE_EXISTS`, `TENANCY_FILE_UNWRITABLE`.
 */
export async function writeFiles(cwd: string, files: readonly NewFile[], append: NewFile | null): Promise<void> {
  const undo: (() => Promise<void>)[] = [];
  const last = files.at(-1);
  try {
    for (const file of files.slice(0, -1)) await createFile(cwd, file, undo);
    if (append !== null) await appendFile(cwd, append, undo);
    if (last !== undefined) await createFile(cwd, last, undo);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

async function createFile(cwd: string, { file, text }: NewFile, undo: (() => Promise<void>)[]): Promise<void> {
  const target = path.resolve(cwd, file);
  try {
    const firstMade = await mkdir(path.dirname(target), { recursive: true });
    if (firstMade !== undefined) undo.push(() => removeFolders(path.dirname(target), firstMade));
    const handle = await open(target, 'wx');
    // From here on the file is ours to remove, also where the disk has no room for its text.
    undo.push(() => rm(target, { force: true }));
    await handle.writeFile(text).finally(() => handle.close());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new TenancyError('TENANCY_FILE_EXISTS', { file }, { cause: error });
    throw unwritable(file, error);
  }
}

async function appendFile(cwd: string, { file, text }: NewFile, undo: (() => Promise<void>)[]): Promise<void> {
  const target = path.resolve(cwd, file);
  try {
    const before = await readFile(target, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    undo.push(() => (before === null ? rm(target, { force: true }) : writeFile(target, before)));
    await writeFile(target, text, { flag: 'a' });
  } catch (error) {
    throw unwritable(file, error);
  }
}

/** From the innermost up to `first`; one that somebody has put something into meanwhile stays. */
async function removeFolders(innermost: string, first: string): Promise<void> {
  for (let directory = innermost; directory.length >= first.length; directory = path.dirname(directory)) {
    const isGone = await rmdir(directory).then(
      () => true,
      () => false,
    );
    if (!isGone) return;
  }
}

function unwritable(file: string, error: unknown): TenancyError {
  const reason = error instanceof Error ? error.message : String(error);
  return new TenancyError('TENANCY_FILE_UNWRITABLE', { file, reason }, { cause: error });
}
