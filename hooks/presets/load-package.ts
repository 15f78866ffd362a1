import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { TenancyError } from '../../src/errors.js';

export interface PackageRequest {
  /** The package, or one of its entries: `drizzle-orm/node-postgres`. */
  readonly name: string;
  /** Who needs it, for the message: `knex()`. */
  readonly preset: string;
  /** What to type where it isn't there: `npm i -D knex pg`. */
  readonly install: string;
  /** The versions that the preset was made for: from the first on, and below the second. @default any */
  readonly versions?: readonly [from: string, below: string];
}

/**
 * Loads a library of the project's own, as the project itself would find it: nothing of it is bundled, so that migrations and preset speak to one
 * copy of the version that the application has.
 * @throws TenancyError `TENANCY_PACKAGE_MISSING` with what to install, or `TENANCY_PACKAGE_UNSUPPORTED`.
 */
export async function loadPackage<Library>(root: string, request: PackageRequest): Promise<Library> {
  const { name, preset, install } = request;
  const file = resolvePackage(root, name);
  if (file === null) throw new TenancyError('TENANCY_PACKAGE_MISSING', { packageName: name, preset, root, install });
  if (request.versions !== undefined) await checkVersion(file, request, request.versions);
  const loaded = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
  // CommonJS in an import is its `default`; an ES module that has one repeats its members in it.
  return (loaded.default ?? loaded) as Library;
}

/** Null where it isn't installed. */
export function resolvePackage(root: string, name: string): string | null {
  try {
    return createRequire(path.join(root, 'tenancy.config.js')).resolve(name);
  } catch {
    return null;
  }
}

async function checkVersion(file: string, request: PackageRequest, [from, below]: readonly [string, string]): Promise<void> {
  const name = packageOf(request.name);
  const version = await readVersion(file, name);
  if (version === null || (compare(version, from) >= 0 && compare(version, below) < 0)) return;
  throw new TenancyError('TENANCY_PACKAGE_UNSUPPORTED', { packageName: name, preset: request.preset, version, from, below });
}

/** Of the nearest package.json with that name above the file; packages need not export theirs. */
async function readVersion(file: string, name: string): Promise<string | null> {
  for (let folder = path.dirname(file); folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const text = await readFile(path.join(folder, 'package.json'), 'utf8').catch(() => null);
    if (text === null) continue;
    const found = JSON.parse(text) as { readonly name?: string; readonly version?: string };
    if (found.name === name) return found.version ?? null;
  }
  return null;
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** What stands after a hyphen doesn't count: a beta of 1.0 is no 0.45 any more. */
function compare(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function numbersOf(version: string): number[] {
  return (version.split(/[-+]/)[0] ?? '').split('.').map(Number);
}
