/** Imports a config that is code: by Node itself where it can, else by jiti. */
import { lstat, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { explainImportError, isLinkError } from './explain-import-error.js';
import { canStripTypes, currentUid, withoutLoadingWarnings } from './node-runtime.js';

const TYPESCRIPT = /\.[cm]?ts$/;

/** What a config exports. In a box, since it may be a promise, and one that rejects. */
export interface ConfigExport {
  readonly hasDefault: boolean;
  readonly value: unknown;
}

/**
 * Imports a config and picks its default export.
 *
 * Node strips types but does not compile (enums, imports of a type without `type`) and wants endings in relative imports; jiti
 * takes all of these, so a TypeScript config that Node can't link is given to jiti before anything of it has run.
 * @throws TenancyError for a syntax error, a missing import, or whatever the module threw.
 */
export async function importConfig(file: string): Promise<ConfigExport> {
  try {
    return pickDefault(await importModule(file));
  } catch (error) {
    return explainImportError(file, error);
  }
}

/** Imports a module of the user's, TypeScript or not, as the config itself is imported. */
export async function importModule(file: string): Promise<unknown> {
  if (!TYPESCRIPT.test(file)) return importNatively(file);
  if (!canStripTypes()) return importByJiti(file);
  try {
    return await importNatively(file);
  } catch (error) {
    if (!isLinkError(error)) throw error;
    return importByJiti(file);
  }
}

async function importNatively(file: string): Promise<unknown> {
  return withoutLoadingWarnings(() => import(pathToFileURL(file).href) as Promise<unknown>);
}

async function importByJiti(file: string): Promise<unknown> {
  // By require: an import would have Node look through all of its bundled Babel for the names that it exports.
  const { createJiti } = createRequire(import.meta.url)('jiti') as typeof import('jiti');
  // Without interopDefault a named export would pass for a default one.
  return createJiti(pathToFileURL(file).href, { fsCache: await findCacheDirectory(file), interopDefault: false }).import(file);
}

/** `export default`, `module.exports =`, and the `exports.default` of TypeScript compiled to CommonJS. */
function pickDefault(module: unknown): ConfigExport {
  if (!isNamespace(module)) return { hasDefault: true, value: module };
  const value = module.default;
  if (isNamespace(value) && Object.hasOwn(value, '__esModule')) return { hasDefault: 'default' in value, value: value.default };
  return { hasDefault: 'default' in module, value };
}

function isNamespace(module: unknown): module is { readonly default?: unknown } {
  if (typeof module !== 'object' || module === null) return false;
  return Object.prototype.toString.call(module) === '[object Module]' || Object.hasOwn(module, '__esModule') || 'default' in module;
}

/**
 * Where jiti keeps what it compiled, so that only the first start is cold: in the project's node_modules where that is ours, else in a
 * temporary folder that only this user may write; false (no cache) rather than code from a folder that somebody else can write.
 */
async function findCacheDirectory(file: string): Promise<string | false> {
  const uid = currentUid();
  for (let directory = path.dirname(file); ; directory = path.dirname(directory)) {
    const modules = path.join(directory, 'node_modules');
    if (await isOwnDirectory(modules, uid)) {
      const cache = await claimDirectory(path.join(modules, '.cache', 'tenancy-cli'), uid);
      if (cache !== false) return cache;
      break;
    }
    if (directory === path.dirname(directory)) break;
  }
  return claimDirectory(path.join(tmpdir(), `tenancy-cli-${uid ?? 'cache'}`), uid);
}

async function claimDirectory(directory: string, uid: number | null): Promise<string | false> {
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch(() => undefined);
  return (await isOwnDirectory(directory, uid)) ? directory : false;
}

async function isOwnDirectory(directory: string, uid: number | null): Promise<boolean> {
  const stats = await lstat(directory).catch(() => null);
  if (stats === null || !stats.isDirectory()) return false;
  return uid === null || (stats.uid === uid && (stats.mode & 0o022) === 0);
}
