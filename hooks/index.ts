/** The ready-made hooks, imported from `tenancy-cli/hooks`. */
export { byDriver } from './by-driver.js';
export { mongodbDatabase } from './mongodb-database.js';
export { postgresDatabase } from './postgres-database.js';
export { postgresSchema } from './postgres-schema.js';
export { type AtlasOptions, atlas } from './presets/atlas.js';
export { type CommandLine, type CommandOptions, command } from './presets/command.js';
export { type DrizzleCommandOptions, type DrizzleOptions, drizzle } from './presets/drizzle.js';
export { type FlywayOptions, flyway } from './presets/flyway.js';
export { type GolangMigrateOptions, golangMigrate } from './presets/golang-migrate.js';
export { type KnexCommandOptions, type KnexOptions, knex } from './presets/knex.js';
export { type KyselyCommandOptions, type KyselyOptions, kysely } from './presets/kysely.js';
export { type MigrateMongoCommandOptions, type MigrateMongoOptions, migrateMongo } from './presets/migrate-mongo.js';
export { type NodePgMigrateCommandOptions, type NodePgMigrateOptions, nodePgMigrate } from './presets/node-pg-migrate.js';
export { type PrismaOptions, prisma } from './presets/prisma.js';
export { type SequelizeCommandOptions, type SequelizeOptions, sequelize } from './presets/sequelize.js';
export { type TypeormCommandOptions, type TypeormOptions, typeorm } from './presets/typeorm.js';
export { sqlMigrations } from './sql-migrations.js';
export { sqlSeed } from './sql-seed.js';
