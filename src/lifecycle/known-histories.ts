import { historyDigest } from '../migrations/history-digest.js';
import type { LocalMigration, TenantHistory } from '../migrations/migration.js';
import type { RecordedHistory } from './migrator.js';
import type { TenantScope } from './run-context.js';
import { touch } from './touches.js';

export interface KnownHistories {
  readonly emptyDigest: string;
  /** How many of the files that is; null where it is no beginning of them. */
  countOf(recorded: RecordedHistory): number | null;
  /** Which of the files those are. */
  listOf(recorded: RecordedHistory): readonly LocalMigration[] | null;
}

/** Which versions stand for "the first n local files, unedited"; each digest is made when first asked for. */
export function createKnownHistories(local: readonly LocalMigration[]): KnownHistories {
  const counts = new Map<string | null, number>(local.map(({ name }, index) => [name, index + 1]));
  counts.set(null, 0);
  const digests = new Map<number, string>();
  function digestOf(count: number): string {
    const digest = digests.get(count) ?? historyDigest(local.slice(0, count));
    digests.set(count, digest);
    return digest;
  }
  function countOf({ schemaVersion, migrationsHash }: RecordedHistory): number | null {
    const count = counts.get(schemaVersion);
    return count !== undefined && digestOf(count) === migrationsHash ? count : null;
  }
  return {
    emptyDigest: historyDigest([]),
    countOf,
    listOf: (recorded) => {
      const count = countOf(recorded);
      return count === null ? null : local.slice(0, count);
    },
  };
}

/** The history of a tenant that has the first few local files, unedited, and nothing half done. */
export function beginningOf(local: readonly LocalMigration[], count: number): TenantHistory {
  const appliedAt = new Date(0);
  const applied = local.slice(0, count).map(({ name, checksum }) => ({ name, checksum, appliedAt, durationMs: 0, runId: null }));
  return { applied, seeds: [], progress: null, fence: 0 };
}

/**
 * What a process applied that was killed before it could tell: the tenant's history has it, and the registry has not.
 * @param recorded what the registry has; null: nobody knows
 */
export function touchFound(
  scope: Pick<TenantScope, 'touched'>,
  { applied }: TenantHistory,
  recorded: readonly { readonly name: string }[] | null,
): void {
  if (recorded === null) return;
  const told = scope.touched.flatMap(({ migrations = [] }) => migrations);
  const known = new Set([...told, ...recorded].map(({ name }) => name));
  const found = applied.filter(({ name }) => !known.has(name));
  if (found.length === 0) return;
  const runs = [...new Set(found.flatMap(({ runId }) => runId ?? []))];
  touch(scope, {
    what: 'migrate',
    isFound: true,
    migrations: found.map(({ name, checksum }) => ({ name, checksum })),
    ...(runs.length === 0 ? {} : { detail: `by ${runs.join(', ')}` }),
  });
}
