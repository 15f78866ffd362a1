import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { EngineName } from '../../drivers/driver.js';
import { engineOfUrl } from '../../drivers/names.js';

/** What init goes by in a folder that it writes to. */
export interface DetectedProject {
  /** Name of the config file to write. */
  readonly configFile: string;
  /** Of a module in this project: `.ts`, `.js` and their like. */
  readonly moduleEnding: string;
  /** Names of all packages that it depends on. */
  readonly dependencies: readonly string[];
  /** The one engine that it speaks to, with what tells; null where it is none, or more than one. */
  readonly engine: { readonly name: EngineName; readonly sign: string } | null;
}

interface Manifest {
  readonly type?: unknown;
  readonly dependencies?: Readonly<Record<string, unknown>>;
  readonly devDependencies?: Readonly<Record<string, unknown>>;
}

/** Client libraries, and what works with one of them alone. */
const CLIENTS: Readonly<Record<EngineName, readonly string[]>> = {
  postgres: ['pg', 'postgres', 'pg-promise', 'node-pg-migrate', '@prisma/adapter-pg', '@neondatabase/serverless', '@vercel/postgres'],
  mysql: ['mysql2', 'mysql', 'mariadb', '@prisma/adapter-mariadb', '@prisma/adapter-planetscale', '@planetscale/database'],
  mongodb: ['mongodb', 'mongoose', 'migrate-mongo', '@typegoose/typegoose'],
};

/** Looks at the nearest package.json; a project without one, or with one that can't be read, is taken for plain JavaScript. */
export async function detectProject(cwd: string): Promise<DetectedProject> {
  const manifest = await readManifest(cwd);
  const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  const isTypeScript = dependencies.includes('typescript') || (await isThere(path.join(cwd, 'tsconfig.json')));
  return {
    configFile: chooseConfigFile(isTypeScript, manifest.type),
    moduleEnding: chooseModuleEnding(isTypeScript, manifest.type),
    dependencies,
    engine: (await readPrismaEngine(cwd)) ?? guessEngine(dependencies),
  };
}

/** Packages that the config needs and that can't be found from `cwd`. */
export function findMissingPackages(cwd: string, needed: readonly string[]): readonly string[] {
  const resolve = createRequire(path.join(cwd, 'package.json')).resolve;
  return [...new Set(needed)].filter((name) => !canResolve(resolve, name));
}

function guessEngine(dependencies: readonly string[]): DetectedProject['engine'] {
  const engines = Object.keys(CLIENTS) as EngineName[];
  const [first, second] = engines.flatMap((name) => {
    const client = CLIENTS[name].find((library) => dependencies.includes(library));
    return client === undefined ? [] : [{ name, sign: `${client} is in package.json` }];
  });
  return second === undefined ? (first ?? null) : null;
}

/** Prisma brings its own clients, and says in its schema what it speaks to. */
async function readPrismaEngine(cwd: string): Promise<DetectedProject['engine']> {
  const schema = await readFile(path.join(cwd, 'prisma/schema.prisma'), 'utf8').catch(() => '');
  const [, provider = ''] = /^\s*datasource\s+\w+\s*\{[^}]*?\bprovider\s*=\s*"(\w+)"/m.exec(schema) ?? [];
  const name = engineOfUrl(`${provider}:`);
  return name === null ? null : { name, sign: 'prisma/schema.prisma names it' };
}

/** In a package of CommonJS, Node 24 warns of an `import` in a `.ts` file; `.mts` and `.mjs` are modules everywhere. */
function chooseConfigFile(isTypeScript: boolean, type: unknown): string {
  if (!isTypeScript) return 'tenancy.config.mjs';
  return type === 'commonjs' ? 'tenancy.config.mts' : 'tenancy.config.ts';
}

/** As for the config, but in a package of ES modules `.js` is one too. */
function chooseModuleEnding(isTypeScript: boolean, type: unknown): string {
  if (isTypeScript) return type === 'commonjs' ? '.mts' : '.ts';
  return type === 'module' ? '.js' : '.mjs';
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
