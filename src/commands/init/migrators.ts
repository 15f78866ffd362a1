import type { DriverName } from '../../tenant.js';

/** A migrator that a project may have already, and how a hook runs it for one tenant. */
export interface KnownMigrator {
  readonly name: string;
  /** Any of these among the dependencies means it. */
  readonly packages: readonly string[];
  /** The call of a hook, as source text with the members of `ctx`; null where the built-in migrator reads its files. */
  readonly call: ((driver: DriverName) => string) | null;
  /** What its own configuration has to take from the environment, so that each tenant gets its own; one line each. */
  readonly advice: (driver: DriverName) => readonly string[];
}

const isSchema = (driver: DriverName): boolean => driver === 'postgres-schema';

/** The first that fits wins: an ORM's own migrator before libraries that are also used without one. */
const MIGRATORS: readonly KnownMigrator[] = [
  {
    name: 'Prisma',
    packages: ['prisma', '@prisma/client'],
    call: null,
    advice: () => ["Prisma's migrations are read as they are: once there are some, make this './prisma/migrations'."],
  },
  {
    name: 'Drizzle',
    packages: ['drizzle-kit', 'drizzle-orm'],
    call: () => "exec('drizzle-kit', ['migrate'])",
    advice: (driver) => [
      'drizzle.config.ts has to take its url from process.env.DATABASE_URL',
      ...(isSchema(driver) ? ['and migrations.schema from process.env.TENANCY_SCHEMA: by default only the first tenant is migrated.'] : []),
    ],
  },
  {
    name: 'TypeORM',
    packages: ['typeorm'],
    call: () => "exec('typeorm', ['migration:run', '-d', 'data-source.js'])",
    advice: (driver) => [
      `data-source.js has to take its url from process.env.DATABASE_URL${isSchema(driver) ? ', its schema from TENANCY_SCHEMA' : ''}.`,
    ],
  },
  {
    name: 'Sequelize',
    packages: ['sequelize-cli', 'sequelize'],
    call: () => "exec('sequelize-cli', ['db:migrate'])",
    advice: (driver) => [
      "Its config needs use_env_variable: 'DATABASE_URL'",
      ...(isSchema(driver) ? ['and migrationStorageTableSchema: process.env.TENANCY_SCHEMA.'] : []),
    ],
  },
  {
    name: 'node-pg-migrate',
    packages: ['node-pg-migrate'],
    call: (driver) => {
      const names = isSchema(driver) ? ", '--schema', placement.name, '--migrations-schema', placement.name" : '';
      return `exec('node-pg-migrate', ['up', '--no-lock'${names}])`;
    },
    advice: () => ['--no-lock: its own lock lets one tenant in at a time and fails the others; tenancy locks each tenant.'],
  },
  {
    name: 'Knex',
    packages: ['knex'],
    call: () => "exec('knex', ['migrate:latest'])",
    advice: (driver) => [
      'The knexfile has to take its connection from process.env.DATABASE_URL',
      ...(isSchema(driver) ? ['and searchPath and migrations.schemaName from process.env.TENANCY_SCHEMA.'] : []),
    ],
  },
  {
    name: 'Kysely',
    packages: ['kysely-ctl', 'kysely'],
    call: () => "exec('kysely', ['migrate:latest'])",
    advice: (driver) => [
      'kysely.config.ts has to connect to process.env.DATABASE_URL',
      ...(isSchema(driver)
        ? ["and the Migrator's migrationTableSchema has to be process.env.TENANCY_SCHEMA; its lock makes tenants take turns."]
        : []),
    ],
  },
  {
    name: 'Umzug',
    packages: ['umzug'],
    call: () => 'createUmzug(url).up()',
    advice: (driver) => [
      `createUmzug is yours: an Umzug on that URL${isSchema(driver) ? ', its storage in the schema placement.name' : ''}.`,
    ],
  },
];

export function findMigrator(dependencies: readonly string[]): KnownMigrator | null {
  return MIGRATORS.find(({ packages }) => packages.some((name) => dependencies.includes(name))) ?? null;
}
