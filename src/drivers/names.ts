import { TenancyError } from '../errors.js';
import type { DriverName } from '../tenant.js';
import type { EngineName } from './driver.js';

declare const brand: unique symbol;

/** The name of a schema or database, fit to be created, quoted, put into a URL and compared without case. */
export type PhysicalName = string & { readonly [brand]: 'PhysicalName' };

/** What one engine bears as a name. */
interface NameRules {
  /** The engine cuts off, or refuses, what is longer. In bytes of UTF-8. */
  readonly maxBytes: number;
  /** What may be in it, besides letters and digits of any script. */
  readonly punctuation: string;
  /** Characters beyond U+FFFF are refused by the engine. */
  readonly isBasicPlaneOnly: boolean;
}

/**
 * PostgreSQL: NAMEDATALEN - 1; a longer name would be truncated silently, and two tenants could meet in one schema.
 * MySQL: 64 characters of the basic plane (Reference Manual, 11.2 Schema Object Names); held to 64 bytes, as a name is also a folder's.
 * MongoDB: fewer than 64 bytes, none of `/\\. "$*<>:|?` (Manual, MongoDB Limits and Thresholds: Naming Restrictions).
 */
const RULES: Readonly<Record<EngineName, NameRules>> = {
  postgres: { maxBytes: 63, punctuation: '_-.', isBasicPlaneOnly: false },
  mysql: { maxBytes: 64, punctuation: '_-', isBasicPlaneOnly: true },
  mongodb: { maxBytes: 63, punctuation: '_-', isBasicPlaneOnly: false },
};

const ENGINES: Readonly<Record<DriverName, EngineName>> = {
  'postgres-schema': 'postgres',
  'postgres-database': 'postgres',
  'mysql-database': 'mysql',
  'mongodb-database': 'mongodb',
};

const SCHEMES: Readonly<Record<string, EngineName>> = {
  embedded: 'postgres',
  postgres: 'postgres',
  postgresql: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
  mongodb: 'mongodb',
  'mongodb+srv': 'mongodb',
};

/** The engine that a URL's scheme means; null where there is none that we know. */
export function engineOfUrl(url: string): EngineName | null {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  return scheme === undefined ? null : (SCHEMES[scheme] ?? null);
}

/** The drivers that an engine has. */
export function driversOf(engine: EngineName): readonly DriverName[] {
  return (Object.keys(ENGINES) as DriverName[]).filter((driver) => ENGINES[driver] === engine);
}

/** The engine that a driver keeps its tenants on. */
export function engineOf(driver: DriverName): EngineName {
  return ENGINES[driver];
}

/**
 * Reserved on every engine, so that a placement means the same on all of them.
 * `test` and `test_*`: a default MariaDB lets everybody into these. `tenancy`: the registry; `_tenancy`: a tenant's history.
 */
const RESERVED: readonly { readonly pattern: RegExp; readonly owner: string }[] = [
  { pattern: /^information_schema$/, owner: 'the server' },
  { pattern: /^(pg_.*|postgres|template[01]|public)$/, owner: 'PostgreSQL' },
  { pattern: /^(mysql|sys|performance_schema|test|test_.*)$/, owner: 'MySQL' },
  { pattern: /^(admin|local|config)$/, owner: 'MongoDB' },
  { pattern: /^_?tenancy/, owner: 'tenancy itself' },
  { pattern: /^extensions$/, owner: 'the extensions that schema tenants share' },
];

/**
 * Turns a raw name into one that is safe on the driver's engine. Pure; opens no connection, truncates and folds nothing.
 *
 * @throws TenancyError `TENANCY_NAME_REJECTED`, saying what is wrong with it.
 */
export function parsePhysicalName(driver: DriverName, raw: string, options: { readonly allowMixedCase: boolean }): PhysicalName {
  const reason = explainRejection(RULES[ENGINES[driver]], raw, options.allowMixedCase);
  if (reason !== null) throw new TenancyError('TENANCY_NAME_REJECTED', { name: shorten(raw), driver, reason });
  return raw as PhysicalName;
}

/** True for names that no tenant may have, whatever their case. */
export function isReservedName(name: string): boolean {
  return RESERVED.some(({ pattern }) => pattern.test(name.toLowerCase()));
}

function explainRejection({ maxBytes, punctuation, isBasicPlaneOnly }: NameRules, raw: string, allowMixedCase: boolean): string | null {
  if (raw === '') return 'it is empty';
  const strange = [...raw].find((character) => !isPlain(character, punctuation));
  if (strange !== undefined) return `${describeCharacter(strange)} is not allowed in it`;
  const beyond = isBasicPlaneOnly ? [...raw].find((character) => character.length > 1) : undefined;
  if (beyond !== undefined) return `the engine bears no ${beyond} (U+${beyond.codePointAt(0)?.toString(16).toUpperCase()}) in a name`;
  if (raw.normalize('NFC') !== raw) return 'its accents are written as characters of their own (it is not in Unicode NFC)';
  if (/^[-.]/.test(raw)) return `it starts with ${raw[0]}`;
  const bytes = Buffer.byteLength(raw);
  if (bytes > maxBytes) return `it has ${bytes} bytes, and ${maxBytes} is the most`;
  if (!allowMixedCase && raw !== raw.toLowerCase()) {
    return `it has capital letters, which need quoting everywhere; write ${raw.toLowerCase()}, or set allowMixedCaseNames`;
  }
  const owner = RESERVED.find(({ pattern }) => pattern.test(raw.toLowerCase()))?.owner;
  return owner === undefined ? null : `it is reserved for ${owner}`;
}

function isPlain(character: string, punctuation: string): boolean {
  return punctuation.includes(character) || /^[\p{L}\p{M}\p{Nd}]$/u.test(character);
}

function describeCharacter(character: string): string {
  if (character === '\0') return 'NUL';
  const isVisible = /^[\p{P}\p{S}\p{L}\p{N}]$/u.test(character);
  return isVisible ? character : `the character U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`;
}

function shorten(raw: string): string {
  return raw.length > 100 ? `${raw.slice(0, 100)}…` : raw;
}
