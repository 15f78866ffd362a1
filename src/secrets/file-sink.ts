import { constants } from 'node:fs';
import { lstat, mkdir, open, rename, unlink, writeFile } from 'node:fs/promises';
import { platform } from 'node:os';
import path from 'node:path';
import { TenancyError } from '../errors.js';
import type { SecretSink } from './secret-sink.js';

const NOT_THERE = 'ENOENT';
const EXISTS = 'EEXIST';

/**
 * A file for each login, 0600, in a directory that is its owner's alone. Written under another name and renamed: it is there whole or not at all, and
 * what lies under its name, be it a link to somewhere else, is replaced and never followed.
 */
export function createFileSink(directory: string, root: string): SecretSink {
  const fileOf = ({ tenant, login }: { readonly tenant: string; readonly login: string }): string =>
    path.join(directory, `${tenant}.${login}`);
  const sink = directory;
  return {
    store: async (secret) => {
      const file = fileOf(secret);
      try {
        await ensureDirectory(directory);
        await replaceFile(file, secret.password);
      } catch (error) {
        if (error instanceof TenancyError) throw error;
        const { tenant, login } = secret;
        throw new TenancyError('TENANCY_SECRET_NOT_STORED', { tenant, login, sink, reason: reasonOf(error) }, { cause: error });
      }
      return toReference(file, root);
    },
    remove: async (secret) => {
      const file = fileOf(secret);
      try {
        await unlinkIfThere(draftOf(file));
        const isRemoved = await unlinkIfThere(file);
        // Another directory, or another sink, when it was stored: not ours to look for.
        if (!isRemoved && secret.ref !== null && secret.ref !== toReference(file, root)) return 'kept';
        return isRemoved ? 'removed' : 'absent';
      } catch (error) {
        const { tenant, login } = secret;
        throw new TenancyError('TENANCY_SECRET_NOT_REMOVED', { tenant, login, sink, reason: reasonOf(error) }, { cause: error });
      }
    },
  };
}

/** Relative to the config where it lies beneath it, since the registry is read on other machines too. */
function toReference(file: string, root: string): string {
  const relative = path.relative(root, file);
  const isBeneath = !relative.startsWith('..') && !path.isAbsolute(relative);
  return `file:${isBeneath ? relative.split(path.sep).join('/') : file}`;
}

async function ensureDirectory(directory: string): Promise<void> {
  const isNew = (await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined;
  const facts = await lstat(directory);
  const unsafe = (reason: string, mend: string): TenancyError =>
    new TenancyError('TENANCY_SECRETS_UNSAFE', { path: directory, reason, mend });
  if (facts.isSymbolicLink()) throw unsafe('it is a symbolic link', 'name the directory itself in `secrets.directory`');
  // Windows has no such bits.
  if (platform() !== 'win32' && (facts.mode & 0o077) !== 0) {
    throw unsafe(`others than its owner may use it (${(facts.mode & 0o777).toString(8)})`, `chmod 700 ${directory}`);
  }
  // What is made for secrets isn't to be committed with the project.
  if (isNew) await writeFile(path.join(directory, '.gitignore'), '*\n', { flag: 'wx', mode: 0o600 }).catch(() => undefined);
}

async function replaceFile(file: string, content: string): Promise<void> {
  const draft = draftOf(file);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
  // Of an attempt that was killed in here.
  await unlinkIfThere(draft);
  const handle = await open(draft, flags, 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
  await syncDirectory(path.dirname(file));
}

/** So that a machine that loses its power has the secret of a login that it has. Where a directory can't be synced, that is all there is. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY).catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function draftOf(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.part`);
}

async function unlinkIfThere(file: string): Promise<boolean> {
  try {
    await unlink(file);
    return true;
  } catch (error) {
    if (codeOf(error) === NOT_THERE) return false;
    throw error;
  }
}

function reasonOf(error: unknown): string {
  if (codeOf(error) === EXISTS) return 'another process is storing it at this moment';
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
