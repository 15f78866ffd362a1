import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One file of `migrations/registry/<engine>`, not yet read. */
export interface RegistryMigration {
  readonly version: number;
  readonly name: string;
  readonly file: string;
}

const found = new Map<string, readonly RegistryMigration[]>();

/** What this tenancy-cli knows of the registry's shape, oldest first. */
export async function listMigrationFiles(engine: 'postgres' | 'mysql' | 'mongodb'): Promise<readonly RegistryMigration[]> {
  // Whatever the server is asked meanwhile is on its way first: the files are read while it answers. They are read in one go, since the
  // first promise of a file starts Node's four threads for files.
  await new Promise(setImmediate);
  const known = found.get(engine) ?? readMigrations(engine);
  found.set(engine, known);
  return known;
}

function readMigrations(engine: string): readonly RegistryMigration[] {
  const directory = join(findPackageRoot(), 'migrations', 'registry', engine);
  return readdirSync(directory)
    .flatMap((entry) => {
      const [, number, name] = /^(\d{4})_(.+)\.(?:sql|json)$/.exec(entry) ?? [];
      return number === undefined || name === undefined ? [] : [{ version: Number(number), name, file: join(directory, entry) }];
    })
    .sort((a, b) => a.version - b.version);
}

/** The code runs from `src`, `dist` or `dist/chunks`; the files are beside the package.json of ours above it. */
function findPackageRoot(): string {
  for (let directory = dirname(fileURLToPath(import.meta.url)); ; directory = dirname(directory)) {
    if (readPackageName(directory) === 'tenancy-cli') return directory;
    if (directory === dirname(directory)) throw new Error('the package.json of tenancy-cli is not above its own code');
  }
}

function readPackageName(directory: string): string | null {
  const file = join(directory, 'package.json');
  if (!existsSync(file)) return null;
  const content = JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown };
  return typeof content.name === 'string' ? content.name : null;
}
