import type { LocalMigration } from '../migrations/migration.js';

/** What makes of an empty home one that a tenant with some history can be compared with; or why nothing does. */
export type ReferencePlan =
  | { readonly status: 'planned'; readonly steps: readonly LocalMigration[]; readonly publicTo: 'tenant' | null }
  | { readonly status: 'none'; readonly reason: string /** What to do about it. */; readonly next: string };

export const NO_REFERENCE: ReferencePlan = {
  status: 'none',
  reason: 'only the migrator of the config knows what it makes',
  next: "compare it with a new tenant by that migrator's own means; `--skip-structure` leaves this note out",
};
