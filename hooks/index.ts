/** The ready-made hooks, imported from `tenancy-cli/hooks`. */
export { byDriver } from './by-driver.js';
export { mongodbDatabase } from './mongodb-database.js';
export { postgresDatabase } from './postgres-database.js';
export { postgresSchema } from './postgres-schema.js';
export { type CommandLine, type CommandOptions, command } from './presets/command.js';
export { sqlMigrations } from './sql-migrations.js';
export { sqlSeed } from './sql-seed.js';
