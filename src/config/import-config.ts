/** Imports a config that is code: by Node itself where it can, else by jiti. */
import { lstat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { explainImportError, isLinkError } from './explain-import-error.js';
import { canStripTypes, currentUid, withoutLoadingWarnings } from './node-runtime.js';

const TYPESCRIPT = /\.[cm]?ts$/;

/**
 * The module's default export, or undefined where it has none.
 *
 * Node strips types but does not compile (enums, imports of a type without `type`) and wants endings in relative imports; jiti
 * takes all of these, so a TypeScript config that Node can't link is given to jiti before anything of it has run.
 * @throws TenancyError for a syntax error, a missing import, or whatever the module threw.
 */
export async function importConfig(file: string): Promise<unknown> {
  if (!TYPESCRIPT.test(file)) {
    return pickDefault(await importNatively(file).catch((error: unknown) => explainImportError(file, error)));
  }
  const isNative = canStripTypes();
  const loaded = isNative
    ? await importNatively(file).catch((error: unknown) => {
        if (isLinkError(error)) return importByJiti(file);
        throw error;
      }).catch((error: unknown) => explainImportError(file, error))
    : await importByJiti(file).catch((error: unknown) => explainImportError(file, error));
  return pickDefault(loaded);
}

async function importNatively(file: string): Promise<unknown> {
  return withoutLoadingWarnings(() => import(pathToFileURL(file).href) as Promise<unknown>);
}

async function importByJiti(file: string): Promise<unknown> {
  const { createJiti } = await import('jiti');
  // Without interopDefault a named export would pass for a default one.
  return createJiti(pathToFileURL(file).href, { fsCache: await findCacheDirectory(file), interopDefault: false }).import(file);
}

/** `export default`, `module.exports =`, and the `exports.default` of TypeScript compiled to CommonJS. */
function pickDefault(module: unknown): unknown {
  if (typeof module !== 'object' || module === null) return module;
  const isNamespace = Object.prototype.toString.call(module) === '[object Module]' || Object.hasOwn(module, '__esModule') || 'default' in module;
  if (!isNamespace) return module;
  const value: unknown = (module as { readonly default?: unknown }).default;
  const isCompiled = typeof value === 'object' && value !== null && Object.hasOwn(value, '__esModule');
  return isCompiled ? (value as { readonly default?: unknown }).default : value;
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
