import { TenancyError } from '../../errors.js';
import { showPath } from '../source-directory.js';
import { drizzleFormat } from './drizzle.js';
import { filesFormat } from './files.js';
import { flywayFormat } from './flyway.js';
import type { Entry, MigrationFormat } from './format.js';
import { golangMigrateFormat } from './golang-migrate.js';
import { prismaFormat } from './prisma.js';

/** `files` takes what none of the others knows. */
const formats = {
  prisma: prismaFormat,
  drizzle: drizzleFormat,
  'golang-migrate': golangMigrateFormat,
  flyway: flywayFormat,
  files: filesFormat,
} as const satisfies Record<string, MigrationFormat>;

export type MigrationFormatName = keyof typeof formats;

/** @throws TenancyError `TENANCY_MIGRATIONS_DIRECTORY_REJECTED` for `auto`, where the directory looks like two of them. */
export function chooseFormat(name: MigrationFormatName | 'auto', directory: string, entries: readonly Entry[]): MigrationFormat {
  if (name !== 'auto') return formats[name];
  const others = Object.values(formats).filter((format) => format !== filesFormat);
  const [recognised = filesFormat, second] = others.filter((format) => format.recognises(entries));
  if (second === undefined) return recognised;
  throw new TenancyError('TENANCY_MIGRATIONS_DIRECTORY_REJECTED', {
    directory: showPath(directory),
    reason: `looks like one of ${recognised.name} and like one of ${second.name}`,
    advice: `say which it is: migrations: { directory, format: '${recognised.name}' }`,
  });
}
