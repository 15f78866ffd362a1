import { readFileSync } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { TenancyError } from '../errors.js';

/** TypeScript first, so that a stale build beside it never shadows its source. */
const SEARCH_PLACES = [
  ...['ts', 'mts', 'cts', 'js', 'mjs', 'cjs', 'json', 'yaml', 'yml'].map((ending) => `tenancy.config.${ending}`),
  '.tenancyrc',
  ...['ts', 'mts', 'cts', 'js', 'mjs', 'cjs', 'json', 'yaml', 'yml'].map((ending) => `.tenancyrc.${ending}`),
  'package.json',
];

const MODULE_ENDINGS = new Set(['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs']);

export interface FoundConfig {
  /** Absolute. */
  readonly file: string;
  readonly type: 'module' | 'json' | 'yaml';
  /** The `tenancy` key of a package.json is the config. */
  readonly isPackageJson: boolean;
  readonly text: string;
}

/**
 * Looks in `cwd`, then in each folder above it, up to and with the project's root: the nearest folder with a `.git`, else the
 * outermost one with a `package.json` below the home directory, else `cwd` itself.
 * @throws TenancyError `TENANCY_CONFIG_NOT_FOUND`, `TENANCY_CONFIG_UNREADABLE`.
 */
export async function findConfig(cwd: string): Promise<FoundConfig> {
  return readFirstPlace(cwd) ?? searchUpwards(cwd);
}

/**
 * Where nearly every config is, a search would end at once: it costs more than all else that is read. At once, not as a promise:
 * the first of those starts Node's four threads for files.
 */
function readFirstPlace(cwd: string): FoundConfig | null {
  const file = path.join(cwd, SEARCH_PLACES[0] as string);
  try {
    return describeFound(file, readFileSync(file, 'utf8'));
  } catch {
    // Not there, or not to be read, which the search will tell.
    return null;
  }
}

async function searchUpwards(cwd: string): Promise<FoundConfig> {
  const root = await findProjectRoot(cwd);
  const explorer = await createExplorer();
  for (const directory of foldersBetween(cwd, root)) {
    await refuseUnreadable(directory);
    const found = await explorer.search(directory);
    if (found) return found;
  }
  throw new TenancyError('TENANCY_CONFIG_NOT_FOUND', { directory: cwd, upTo: root });
}

/**
 * Reads the file that `--config` names.
 * @throws TenancyError `TENANCY_CONFIG_UNREADABLE`.
 */
export async function readConfigAt(cwd: string, configPath: string): Promise<FoundConfig> {
  const file = path.resolve(cwd, configPath);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new TenancyError('TENANCY_CONFIG_UNREADABLE', { file, reason: explainReadError(cause) }, { cause });
  });
  return describeFound(file, text);
}

/** Why a file can't be read, to follow a colon. */
export function explainReadError(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file';
    case 'EISDIR':
      return 'it is a directory, not a file';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

async function createExplorer(): Promise<{ search(directory: string): Promise<FoundConfig | null> }> {
  const { cosmiconfig } = await import('./cosmiconfig.js');
  // Its loaders only take the text: an error thrown while a config runs, such as the ENOENT of a file that it reads, would make the search go on.
  const take = (filepath: string, text: string): FoundConfig => describeFound(filepath, text);
  const loaders = Object.fromEntries([...MODULE_ENDINGS, '.json', '.yaml', '.yml', 'noExt'].map((ending) => [ending, take]));
  const explorer = cosmiconfig('tenancy', {
    searchPlaces: SEARCH_PLACES,
    searchStrategy: 'none',
    ignoreEmptySearchPlaces: false,
    cache: false,
    loaders: {
      ...loaders,
      '.json': (filepath, text) => (isPackageJson(filepath) ? takePackageJson(filepath, text) : take(filepath, text)),
    },
  });
  return {
    search: async (directory) => {
      const result = await explorer.search(directory);
      if (!result?.isEmpty) return (result?.config as FoundConfig | undefined) ?? null;
      return isPackageJson(result.filepath) ? null : describeFound(result.filepath, '');
    },
  };
}

/** Without `tenancy`, cosmiconfig goes on; whether the file is sound JSON is its owner's business until it holds our key. */
function takePackageJson(filepath: string, text: string): { readonly tenancy?: FoundConfig } {
  return /"tenancy"\s*:/.test(text) && hasTenancyKey(text) ? { tenancy: describeFound(filepath, text) } : {};
}

function hasTenancyKey(text: string): boolean {
  try {
    const content: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return typeof content === 'object' && content !== null && Object.hasOwn(content, 'tenancy');
  } catch {
    // Broken, and it may hold our key: let the parser name the place.
    return true;
  }
}

function describeFound(file: string, text: string): FoundConfig {
  const ending = path.extname(file);
  const type = MODULE_ENDINGS.has(ending) ? 'module' : ending === '.json' ? 'json' : 'yaml';
  return { file, type, isPackageJson: isPackageJson(file), text };
}

function isPackageJson(file: string): boolean {
  return path.basename(file) === 'package.json';
}

/** cosmiconfig passes over what it may not read, and would find another config further up. */
async function refuseUnreadable(directory: string): Promise<void> {
  const failures = await Promise.all(
    SEARCH_PLACES.filter((name) => name !== 'package.json').map(async (name) => {
      const file = path.join(directory, name);
      return access(file, 4).then(
        () => null,
        (cause: NodeJS.ErrnoException) => (cause.code === 'EACCES' ? { file, cause } : null),
      );
    }),
  );
  const failure = failures.find((each) => each !== null);
  if (!failure) return;
  const { file, cause } = failure;
  throw new TenancyError('TENANCY_CONFIG_UNREADABLE', { file, reason: explainReadError(cause) }, { cause });
}

async function findProjectRoot(cwd: string): Promise<string> {
  const home = homedir();
  let outermost = cwd;
  for (const directory of foldersBetween(cwd, path.parse(cwd).root)) {
    if (await exists(path.join(directory, '.git'))) return directory;
    if (directory === home && directory !== cwd) break;
    if (await exists(path.join(directory, 'package.json'))) outermost = directory;
  }
  return outermost;
}

function foldersBetween(from: string, upTo: string): string[] {
  const folders = [from];
  for (let directory = from; directory !== upTo && directory !== path.dirname(directory); ) {
    directory = path.dirname(directory);
    folders.push(directory);
  }
  return folders;
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
