import type { LocalMigration, TenantHistory } from './migration.js';
import { type NameOrder, recogniseOrder } from './order.js';

/** How a tenant's history and the local files differ; every list is in the order of the migrations. */
export interface MigrationDrift {
  /** Applied, and the file's text is another now. */
  readonly edited: readonly string[];
  /** Applied, older than the newest local file, and no file is there. */
  readonly missing: readonly string[];
  /** Not applied, though a newer one is. */
  readonly outOfOrder: readonly string[];
  /** Applied, and newer than the newest local file: the code was rolled back, which is no drift. */
  readonly ahead: readonly string[];
  /** Not applied, those out of order among them. */
  readonly pending: readonly LocalMigration[];
  /** Newest applied, by order and not by time. */
  readonly newestApplied: string | null;
  readonly order: NameOrder;
}

/** `local` is in order, oldest first, as `loadMigrations` gives it. */
export function findDrift(local: readonly LocalMigration[], history: TenantHistory): MigrationDrift {
  const order = recogniseOrder(local.map(({ name }) => name));
  const files = new Map(local.map((migration) => [migration.name, migration]));
  const applied = [...history.applied].sort((a, b) => order(a.name, b.name));
  const appliedNames = new Set(applied.map(({ name }) => name));
  const newestLocal = local.at(-1)?.name ?? null;
  const newestApplied = applied.at(-1)?.name ?? null;
  const unknown = applied.filter(({ name }) => !files.has(name)).map(({ name }) => name);
  const isAhead = (name: string): boolean => newestLocal === null || order(name, newestLocal) > 0;
  const pending = local.filter(({ name }) => !appliedNames.has(name));
  return {
    edited: applied.filter(({ name, checksum }) => (files.get(name)?.checksum ?? checksum) !== checksum).map(({ name }) => name),
    missing: unknown.filter((name) => !isAhead(name)),
    outOfOrder: pending.filter(({ name }) => newestApplied !== null && order(name, newestApplied) < 0).map(({ name }) => name),
    ahead: unknown.filter(isAhead),
    pending,
    newestApplied,
    order,
  };
}
