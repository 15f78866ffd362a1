import type { HookContext } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import type { DriverName } from '../../src/tenant.js';

/** Where a tool has to work for one tenant. */
export interface TenantHome {
  readonly engine: 'postgres' | 'mysql';
  /** The tenant's schema in a shared database; null where it has a database of its own, in which the tool's defaults are right. */
  readonly schema: string | null;
}

const engines: Readonly<Partial<Record<DriverName, TenantHome['engine']>>> = {
  'postgres-schema': 'postgres',
  'postgres-database': 'postgres',
  'mysql-database': 'mysql',
};

/** @throws TenancyError `TENANCY_MIGRATOR_REFUSED` for a tenant on an engine that the tool doesn't speak to. */
export function locateHome(
  { tenant, driver, placement }: HookContext,
  preset: string,
  spoken: readonly TenantHome['engine'][],
): TenantHome {
  const engine = engines[driver.name];
  if (engine === undefined || !spoken.includes(engine)) {
    throw new TenancyError('TENANCY_MIGRATOR_REFUSED', {
      tenant: tenant.id,
      reason: `${preset} can't migrate a ${driver.name} tenant`,
      advice: `use a migrator that speaks to it, the built-in one for instance, where ctx.driver.name is '${driver.name}'`,
    });
  }
  return { engine, schema: driver.name === 'postgres-schema' ? placement.name : null };
}

/** A table's name for a statement of ours: with the tenant's schema before it, since a search path would also find `public`'s. */
export function quoteTable({ engine, schema }: TenantHome, table: string, defaultSchema: string | null = null): string {
  const quote = engine === 'mysql' ? '`' : '"';
  return [schema ?? defaultSchema, table]
    .filter((part) => part !== null)
    .map((part) => quote + part.replaceAll(quote, quote + quote) + quote)
    .join('.');
}
