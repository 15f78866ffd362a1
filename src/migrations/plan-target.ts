import { TenancyError } from '../errors.js';
import { findClosest } from '../util/edit-distance.js';
import type { LocalMigration } from './migration.js';
import { leadingNumber, readVersion } from './order.js';

/**
 * What `--to` means, before any tenant is looked at: a migration's full name, or the number it begins with (`7` is `0007_invoices`), or its version
 * (`1.2` is `V1_2__invoices`).
 * Up: the last to be applied, and without `--to` the newest there is.
 * Down: the newest that stays applied; null, from `none` (or `0`, where no migration has that number): nothing stays.
 * @throws TenancyError `TENANCY_MIGRATION_TARGET_UNKNOWN`, with the nearest name; also for a rollback without `--to`.
 */
export function resolveTarget(local: readonly LocalMigration[], to: string | null, direction: 'up' | 'down'): string | null {
  const names = local.map(({ name }) => name);
  if (to === null) {
    if (direction === 'up') return names.at(-1) ?? null;
    refuse('', 'a rollback has to be told which migration is to be the newest afterwards', null);
  }
  const found = findByName(to, names);
  if (found !== null) return found;
  if (direction === 'down' && /^(none|0+)$/.test(to)) return null;
  return refuse(to, 'there is no such migration', suggest(to, names));
}

function findByName(to: string, names: readonly string[]): string | null {
  if (names.includes(to)) return to;
  const version = /^V?(\d+(?:[._]\d+)*)$/.exec(to)?.[1];
  const versioned = version === undefined ? [] : names.filter((name) => readVersion(name) !== null && isVersion(name, version));
  if (versioned[0] !== undefined) return versioned[0];
  if (!/^\d+$/.test(to)) return null;
  const matches = names.filter((name) => leadingNumber(name) === BigInt(to));
  if (matches.length > 1) refuse(to, `more than one migration has that number: ${matches.join(', ')}`, null);
  return matches[0] ?? null;
}

function isVersion(name: string, version: string): boolean {
  return readVersion(name)?.join('.') === readVersion(`V${version}__`)?.join('.');
}

function suggest(to: string, names: readonly string[]): string | null {
  const part = to.toLowerCase();
  return findClosest(to, names) ?? names.find((name) => part.length > 2 && name.toLowerCase().includes(part)) ?? null;
}

function refuse(to: string, reason: string, suggestion: string | null): never {
  throw new TenancyError('TENANCY_MIGRATION_TARGET_UNKNOWN', { to, reason, suggestion });
}
