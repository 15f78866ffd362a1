import { type PresetSample, put, SQL, writeDrizzle } from './preset-samples.js';

const builtIn = { packages: ['pg'], migrator: "presets.sqlMigrations({ directory: './migrations' })", command: null, files: {} } as const;

const pad = (n: number, length: number): string => String(n).padStart(length, '0');

/** The folders that the built-in migrator reads, each recognised by itself. */
export const formatSamples: readonly PresetSample[] = [
  {
    ...builtIn,
    name: 'built in, .sql files',
    write: (directory, n, what) => put(directory, `${pad(n, 4)}_step.sql`, `${SQL[what]};\n`),
  },
  {
    ...builtIn,
    name: "built in, Prisma's folders",
    write: async (directory, n, what) => {
      await put(directory, 'migration_lock.toml', 'provider = "postgresql"\n');
      await put(directory, `2024${pad(n, 10)}_step/migration.sql`, `${SQL[what]};\n`);
    },
  },
  { ...builtIn, name: "built in, Drizzle's folder", write: writeDrizzle },
  {
    ...builtIn,
    name: "built in, golang-migrate's files",
    write: (directory, n, what) => put(directory, `${pad(n, 6)}_step.up.sql`, `${SQL[what]};\n`),
  },
  {
    ...builtIn,
    name: "built in, Flyway's files",
    write: (directory, n, what) => put(directory, `V${n}__step.sql`, `${SQL[what]};\n`),
  },
];
