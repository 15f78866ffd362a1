import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { remember } from '../util/remember.js';

/** One file of `migrations/registry/<engine>`, not yet read. */
export interface RegistryMigration {
  readonly version: number;
  readonly name: string;
  readonly file: string;
}

const found = new Map<string, Promise<readonly RegistryMigration[]>>();

/** What this tenancy-cli knows of the registry's shape, oldest first. */
export function listMigrationFiles(engine: 'postgres' | 'mysql' | 'mongodb'): Promise<readonly RegistryMigration[]> {
  return remember(found, engine, () => readMigrations(engine));
}

async function readMigrations(engine: string): Promise<readonly RegistryMigration[]> {
  const directory = join(await findPackageRoot(), 'migrations', 'registry', engine);
  return (await readdir(directory))
    .flatMap((entry) => {
      const [, number, name] = /^(\d{4})_(.+)\.(?:sql|json)$/.exec(entry) ?? [];
      return number === undefined || name === undefined ? [] : [{ version: Number(number), name, file: join(directory, entry) }];
    })
    .sort((a, b) => a.version - b.version);
}

/** The code runs from `src`, `dist` or `dist/chunks`; the files are beside the package.json of ours above it. */
async function findPackageRoot(): Promise<string> {
  for (let directory = dirname(fileURLToPath(import.meta.url)); ; directory = dirname(directory)) {
    if ((await readPackageName(directory)) === 'tenancy-cli') return directory;
    if (directory === dirname(directory)) throw new Error('the package.json of tenancy-cli is not above its own code');
  }
}

async function readPackageName(directory: string): Promise<string | null> {
  const text = await readFile(join(directory, 'package.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const content = JSON.parse(text) as { name?: unknown };
  return typeof content.name === 'string' ? content.name : null;
}
