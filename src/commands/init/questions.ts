import type { EngineName } from '../../drivers/driver.js';
import { driversOf } from '../../drivers/names.js';
import { TenancyError } from '../../errors.js';
import { DRIVER_NAMES, type DriverName } from '../../tenant.js';
import { readServerSource, SERVER_FORMS, type ServerSource } from './read-url.js';
import type { Question } from './terminal.js';

/** With a driver that was asked for, only servers of its engine will do. */
export function askServer(engine: EngineName, driver: DriverName | undefined): Question<ServerSource> {
  const forms = driver === undefined ? 'postgres://…, mysql://…, mongodb://…' : SERVER_FORMS[engine].split(', ')[0];
  const embedded = driver === undefined || engine === 'postgres' ? ', or embedded:DIR, a PostgreSQL from npm' : '';
  return {
    flag: '--url',
    text: `Which server? ${forms}, env:NAME for a variable${embedded}`,
    preset: engine === 'postgres' ? 'embedded:.tenancy/postgres' : 'env:DATABASE_URL',
    parse: (text) => readServerSource(text, driver),
  };
}

/** Only where there is something to choose: which of PostgreSQL's, or any where the server isn't known. */
export function askDriver(engine: EngineName | null, likely: EngineName): Question<DriverName> {
  if (engine === null) {
    return {
      flag: '--driver',
      text: 'What is it? PostgreSQL with a schema for each tenant (schema) or a database each (database), mysql, or mongodb',
      preset: likely === 'postgres' ? 'schema' : likely,
      parse: (text) => parseDriver(text, DRIVER_NAMES, 'schema, database, mysql or mongodb'),
    };
  }
  return {
    flag: '--driver',
    text: 'Keep tenants apart by schema (one database for all) or by database (one each)?',
    preset: 'schema',
    parse: (text) => parseDriver(text, driversOf(engine), 'schema or database'),
  };
}

export function askDirectory(preset: string): Question<string> {
  return { flag: '--migrations', text: 'Folder of the migrations?', preset, parse: parseDirectory };
}

/** `schema` is short for `postgres-schema`, and `mysql` for `mysql-database`. */
function parseDriver(text: string, drivers: readonly DriverName[], expected: string): DriverName {
  const typed = text.toLowerCase();
  const driver = drivers.find((name) => [name, name.replace('postgres-', ''), name.replace('-database', '')].includes(typed));
  if (driver !== undefined && typed !== 'postgres') return driver;
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--driver', value: text, expected });
}

function parseDirectory(text: string): string {
  const directory = text.replaceAll('\\', '/').replace(/(?<=.)\/+$/, '');
  if (directory === '' || /^(\.\/*)+$/.test(directory)) {
    throw new TenancyError('TENANCY_OPTION_REJECTED', {
      option: '--migrations',
      value: text,
      expected: 'a folder of its own, such as ./migrations/tenant',
    });
  }
  return /^(\.{0,2}\/|[A-Za-z]:\/)/.test(directory) ? directory : `./${directory}`;
}
