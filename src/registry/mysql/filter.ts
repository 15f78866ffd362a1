import type { TenantStatus } from '../../tenant.js';
import { toJson } from '../keepable.js';
import { statusesOutOfUse } from '../out-of-use.js';
import type { TenantFilter } from '../registry.js';
import { listIds } from './json.js';
import type { Value } from './session.js';

/** A condition over tenants that go by the name `t`, with its values. */
export interface Condition {
  readonly sql: string;
  readonly params: readonly Value[];
}

/** `shardKeyOf`, as the server reckons it. */
const SHARD_KEY = 'CAST(CONV(LEFT(SHA2(t.id, 256), 8), 16, 10) AS UNSIGNED)';

export function whereTenant(filter: TenantFilter): Condition {
  const conditions: Condition[] = [{ sql: 'TRUE', params: [] }];
  const add = (sql: string, ...params: Value[]): void => void conditions.push({ sql, params });
  if (filter.ids !== undefined) add('t.id IN (?)', listIds(filter.ids));
  if (filter.exclude !== undefined && filter.exclude.length > 0) add('t.id NOT IN (?)', listOf(filter.exclude));
  if (filter.statuses !== undefined) add('t.status IN (?)', listOf(filter.statuses));
  if (filter.clusters !== undefined) add('t.cluster IN (?)', listOf(filter.clusters));
  if (filter.labels !== undefined) add('JSON_CONTAINS(t.labels, ?)', toJson(filter.labels));
  if (filter.notAt !== undefined) conditions.push(isNotAt(filter.notAt, statusesOutOfUse(filter)));
  if (filter.at !== undefined) conditions.push(isAt(filter.at));
  if (filter.hasError !== undefined) add('t.has_error = ?', filter.hasError ? 1 : 0);
  if (filter.shard !== undefined) add(`MOD(${SHARD_KEY}, ?) = ?`, filter.shard.of, filter.shard.index - 1);
  if (filter.ofRun !== undefined) {
    add(
      'EXISTS (SELECT 1 FROM tenancy_run_tenants rt WHERE rt.run_id IN (?) AND rt.tenant = t.id AND rt.outcome IN (?))',
      listOf([filter.ofRun.runId].flat()),
      listOf(filter.ofRun.outcomes),
    );
  }
  return { sql: conditions.map(({ sql }) => sql).join(' AND '), params: conditions.flatMap(({ params }) => params) };
}

/** `IN ()` is no SQL. */
function listOf(values: readonly string[]): Value {
  return values.length === 0 ? [null] : values;
}

/**
 * Written as ranges, each of which an index can answer (a comparison that knows NULL can't be), so that asking a fleet
 * that is up to date costs the same whatever its size.
 */
function isNotAt(
  { schemaVersion, migrationsHash: hash }: NonNullable<TenantFilter['notAt']>,
  outOfUse: readonly TenantStatus[],
): Condition {
  const ranges = ['t.has_error = 1', 't.migrations_hash IS NULL', 't.migrations_hash < ?', 't.migrations_hash > ?'];
  const params: Value[] = [hash, hash];
  if (outOfUse.length > 0) {
    ranges.push('t.status IN (?)');
    params.push(listOf(outOfUse));
  }
  if (schemaVersion === null) {
    ranges.push('(t.migrations_hash = ? AND t.schema_version IS NOT NULL)');
    params.push(hash);
  } else {
    for (const differs of ['IS NULL', '< ?', '> ?']) {
      ranges.push(`(t.migrations_hash = ? AND t.schema_version ${differs})`);
      params.push(...(differs === 'IS NULL' ? [hash] : [hash, schemaVersion]));
    }
  }
  return { sql: `(${ranges.join(' OR ')})`, params };
}

/** Null is compared by itself, so that an index answers each. */
function isAt(versions: NonNullable<TenantFilter['at']>): Condition {
  const params: Value[] = [];
  const equals = (column: string, value: string | null): string => {
    if (value === null) return `${column} IS NULL`;
    params.push(value);
    return `${column} = ?`;
  };
  const each = versions.map(
    ({ schemaVersion, migrationsHash }) =>
      `(${equals('t.migrations_hash', migrationsHash)} AND ${equals('t.schema_version', schemaVersion)})`,
  );
  return { sql: each.length === 0 ? 'FALSE' : `(${each.join(' OR ')})`, params };
}
