import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../errors.js';
import type { Account } from './machine.js';

/**
 * What lies in the folder that `embedded:DIR` names:
 *
 * ```
 * DIR/.gitignore      *
 * DIR/server.log      what the server says, appended to
 * DIR/kept-up         there while `tenancy embedded start` holds: the last one out leaves the server running
 * DIR/starting-*      one for each command that is starting the server, see start-lock.ts
 * DIR/server/         made whole elsewhere and renamed into place, so it is there complete or not at all:
 *   record.json       a ServerRecord
 *   password          0600
 *   data/             the data folder of PostgreSQL, unless the record says that it is elsewhere
 * ```
 */
export interface Layout {
  readonly directory: string;
  readonly server: string;
  readonly record: string;
  readonly password: string;
  readonly log: string;
  readonly keptUp: string;
}

export function layOut(directory: string): Layout {
  const server = path.join(directory, 'server');
  return {
    directory,
    server,
    ...layOutServer(server),
    log: path.join(directory, 'server.log'),
    keptUp: path.join(directory, 'kept-up'),
  };
}

export function layOutServer(server: string): { record: string; password: string; data: string } {
  return {
    record: path.join(server, 'record.json'),
    password: path.join(server, 'password'),
    data: path.join(server, 'data'),
  };
}

/** How the server's processes are run; a data folder made in one way can't be opened in another. */
export type WayName = 'direct' | 'setpriv' | 'unshare' | 'copy';

/** Written once, by the command that made the data. */
export interface ServerRecord {
  /** The server carries it as its cluster_name, so that nobody takes another server on the same port for it. */
  readonly id: string;
  readonly way: WayName;
  /** Whom the server runs as; absent on Windows. */
  readonly account?: Account;
  /** The port it is given whenever that is free, so that a saved URL goes on working. */
  readonly port: number;
  /** Absolute where the data had to go elsewhere. */
  readonly dataElsewhere?: string;
}

/** A database as it was found in the folder. */
export interface FoundServer {
  readonly record: ServerRecord;
  readonly data: string;
  readonly password: string;
}

/** @throws TENANCY_EMBEDDED_FOLDER_DENIED where something is there that we may not read */
export async function findServer(directory: string): Promise<FoundServer | undefined> {
  const layout = layOut(directory);
  try {
    const text = await readIfThere(layout.record);
    // Asked once: the whole folder may be renamed into its place at any moment, and then the password is there too.
    if (text === undefined) return undefined;
    const record = JSON.parse(text) as ServerRecord;
    const password = (await readFile(layout.password, 'utf8')).trim();
    return { record, password, data: record.dataElsewhere ?? path.join(layout.server, 'data') };
  } catch (error) {
    if (error instanceof SyntaxError) {
      const reason = `${layout.record} is damaged`;
      throw new TenancyError('TENANCY_EMBEDDED_FOLDER_DENIED', { directory, reason }, { cause: error });
    }
    throw folderDenied(directory, error);
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  });
}

export async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error: unknown) => !isCode(error, 'ENOENT') && !isCode(error, 'ENOTDIR'),
  );
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Turns a failure of the file system into the sentence that a user can act on; anything else stays what it is. */
export function folderDenied(directory: string, cause: unknown): unknown {
  if (!(cause instanceof Error && 'syscall' in cause)) return cause;
  if (isCode(cause, 'ENOSPC') || isCode(cause, 'EDQUOT')) {
    return new TenancyError('TENANCY_EMBEDDED_DISK_FULL', { directory }, { cause });
  }
  const known: Record<string, string> = {
    EACCES: 'this user may not read or write it',
    EPERM: 'this user may not read or write it',
    EROFS: 'the file system is read-only',
    ENOTDIR: 'a part of that path is a file',
    EEXIST: 'a part of that path is a file',
  };
  const reason = known['code' in cause ? String(cause.code) : ''] ?? cause.message;
  return new TenancyError('TENANCY_EMBEDDED_FOLDER_DENIED', { directory, reason }, { cause });
}

/** Makes the folder, kept out of git. One that holds other things is refused: what is ours is in no one's way there. */
export async function prepareFolder(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    const names = await readdir(directory);
    const foreign = names.find((name) => !/^(\.gitignore|server|server\.log|kept-up|(starting|making)-.*)$/.test(name));
    if (foreign !== undefined && !names.includes('server')) {
      const reason = `it holds other files (${foreign}); it must be empty or new`;
      throw new TenancyError('TENANCY_EMBEDDED_FOLDER_DENIED', { directory, reason });
    }
    if (!names.includes('.gitignore')) await writeFile(path.join(directory, '.gitignore'), '*\n');
  } catch (error) {
    throw folderDenied(directory, error);
  }
}
