import type { EngineName } from '../../drivers/driver.js';

/** A migrator that a project may have already, and the preset of `tenancy-cli/hooks` that runs it for one tenant. */
export interface KnownMigrator {
  readonly name: string;
  /** Any of these among the dependencies means it. */
  readonly packages: readonly string[];
  readonly engines: readonly EngineName[];
  /** Name of the preset; null where there is none, and `call` is the body of a hook. */
  readonly preset: string | null;
  /** What its own configuration may be called, without the ending of a module. */
  readonly configs: readonly string[];
  /** Where its migrations are unless its configuration says otherwise, the likeliest first. */
  readonly folders: readonly string[];
  /** The files of a folder of its migrations, or the layout by which the built-in migrator reads it as it is. */
  readonly layout: RegExp | 'prisma' | 'drizzle';
  /** The folder that its configuration names; null where it names none. */
  readonly readFolder: (configText: string) => string | null;
  /** The preset needs no more than the configuration. */
  readonly isConfigEnough: boolean;
  /** Source text. */
  readonly call: (found: FoundFiles) => string;
  /** Packages that the preset loads. */
  readonly needs: (engine: EngineName) => readonly string[];
}

/** Relative to the project, with `./`. */
export interface FoundFiles {
  readonly config: string | null;
  /** Empty where there is none. */
  readonly configText: string;
  readonly folder: string | null;
  /** The folder is one that was asked for, whatever the configuration says. */
  readonly isAsked: boolean;
}

const MODULES = /(?<!\.d)\.[cm]?[jt]s$/;
const FOLDERS = ['./migrations', './src/migrations', './db/migrations'];
const SQL: readonly EngineName[] = ['postgres', 'mysql'];

const client = (engine: EngineName): string => (engine === 'mysql' ? 'mysql2' : 'pg');
const setting = (name: string) => (text: string) => new RegExp(`\\b${name}['"]?\\s*:\\s*['"\`]([^'"\`$]+)['"\`]`).exec(text)?.[1] ?? null;

/** The first whose files are there wins, else the first: an ORM's own migrator before libraries that are also used without one. */
export const MIGRATORS: readonly KnownMigrator[] = [
  {
    name: 'Prisma',
    layout: 'prisma',
    packages: ['prisma', '@prisma/client'],
    engines: SQL,
    preset: 'prisma',
    configs: [],
    folders: ['./prisma/migrations'],
    readFolder: () => null,
    isConfigEnough: false,
    call: ({ folder }) => callOf('prisma', { directory: unless(folder, './prisma/migrations') }),
    needs: () => ['prisma'],
  },
  {
    name: 'Drizzle',
    layout: 'drizzle',
    packages: ['drizzle-kit', 'drizzle-orm'],
    engines: SQL,
    preset: 'drizzle',
    configs: ['./drizzle.config'],
    folders: ['./drizzle'],
    readFolder: setting('out'),
    isConfigEnough: false,
    call: ({ folder }) => callOf('drizzle', { directory: unless(folder, './drizzle') }),
    needs: (engine) => ['drizzle-orm', client(engine)],
  },
  {
    name: 'TypeORM',
    packages: ['typeorm'],
    engines: SQL,
    preset: 'typeorm',
    configs: ['./data-source', './src/data-source', './src/database/data-source', './src/db/data-source'],
    folders: [],
    layout: MODULES,
    readFolder: () => null,
    isConfigEnough: true,
    call: ({ config }) => callOf('typeorm', { dataSource: config ?? './data-source.js' }),
    needs: (engine) => ['typeorm', client(engine)],
  },
  {
    name: 'Sequelize',
    packages: ['sequelize-cli', 'sequelize'],
    engines: SQL,
    preset: 'sequelize',
    configs: ['./.sequelizerc'],
    folders: FOLDERS,
    layout: MODULES,
    readFolder: readSequelizerc,
    isConfigEnough: false,
    call: ({ folder }) => callOf('sequelize', { directory: folder ?? './migrations' }),
    needs: (engine) => ['sequelize', client(engine)],
  },
  {
    name: 'node-pg-migrate',
    packages: ['node-pg-migrate'],
    engines: ['postgres'],
    preset: 'nodePgMigrate',
    configs: [],
    folders: FOLDERS,
    layout: /(?<!\.d)\.([cm]?[jt]s|sql)$/,
    readFolder: () => null,
    isConfigEnough: false,
    call: ({ folder }) => callOf('nodePgMigrate', { directory: folder ?? './migrations' }),
    needs: () => ['node-pg-migrate', 'pg'],
  },
  {
    name: 'Knex',
    packages: ['knex'],
    engines: SQL,
    preset: 'knex',
    configs: ['./knexfile'],
    folders: FOLDERS,
    layout: MODULES,
    readFolder: setting('directory'),
    isConfigEnough: true,
    call: ({ config, configText, folder, isAsked }) =>
      callOf('knex', {
        directory: config === null ? (folder ?? './migrations') : isAsked ? folder : null,
        knexfile: config,
        environment: environmentOf(configText),
      }),
    needs: (engine) => ['knex', client(engine)],
  },
  {
    name: 'Kysely',
    packages: ['kysely-ctl', 'kysely'],
    engines: SQL,
    preset: 'kysely',
    configs: ['./kysely.config', './.config/kysely.config'],
    folders: FOLDERS,
    layout: MODULES,
    readFolder: setting('migrationFolder'),
    isConfigEnough: false,
    call: ({ folder }) => callOf('kysely', { directory: folder ?? './migrations' }),
    needs: (engine) => ['kysely', client(engine)],
  },
  {
    name: 'migrate-mongo',
    packages: ['migrate-mongo'],
    engines: ['mongodb'],
    preset: 'migrateMongo',
    configs: ['./migrate-mongo-config'],
    folders: FOLDERS,
    layout: MODULES,
    readFolder: setting('migrationsDir'),
    isConfigEnough: true,
    call: ({ configText, folder }) =>
      callOf('migrateMongo', {
        directory: folder ?? relativePath(setting('migrationsDir')(configText) ?? 'migrations'),
        changelogCollectionName: unless(setting('changelogCollectionName')(configText), 'changelog'),
        migrationFileExtension: unless(setting('migrationFileExtension')(configText), '.js'),
        useFileHash: /\buseFileHash['"]?\s*:\s*true\b/.test(configText) ? true : undefined,
      }),
    needs: () => ['migrate-mongo', 'mongodb'],
  },
  {
    name: 'Umzug',
    packages: ['umzug'],
    engines: ['postgres', 'mysql', 'mongodb'],
    preset: null,
    configs: [],
    folders: [],
    layout: MODULES,
    readFolder: () => null,
    isConfigEnough: false,
    call: () => 'createUmzug(url).up()',
    needs: () => ['umzug'],
  },
];

/** A call with those options that say something. */
export function callOf(preset: string, options: Readonly<Record<string, string | boolean | null | undefined>>): string {
  const given = Object.entries(options).filter(([, value]) => value !== null && value !== undefined);
  const pairs = given.map(([name, value]) => `${name}: ${typeof value === 'string' ? quote(value) : value}`);
  return `${preset}(${pairs.length === 0 ? '' : `{ ${pairs.join(', ')} }`})`;
}

/** In single quotes, as source text. */
export function quote(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

export function relativePath(folder: string): string {
  return /^(\.{0,2}\/|[A-Za-z]:)/.test(folder) ? folder : `./${folder}`;
}

function unless(value: string | null, preset: string): string | null {
  return value === preset ? null : value;
}

/** Of a knexfile with several; where to connect isn't taken from it, only where the migrations are. */
function environmentOf(text: string): string | null {
  return ['production', 'staging', 'development'].find((name) => new RegExp(`^\\s*['"]?${name}['"]?\\s*:`, 'm').test(text)) ?? null;
}

/** `'migrations-path': path.resolve('db', 'migrations')`, or a text. */
function readSequelizerc(text: string): string | null {
  const [, value = ''] = /['"]migrations-path['"]\s*:\s*((?:path\.)?(?:resolve|join)\([^)]*\)|['"][^'"]+['"])/.exec(text) ?? [];
  const parts = [...value.matchAll(/['"]([^'"]+)['"]/g)].map(([, part]) => part);
  return parts.length === 0 ? null : parts.join('/');
}
