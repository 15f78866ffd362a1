import type { TenantStatus } from '../../tenant.js';
import { statusesOutOfUse } from '../out-of-use.js';
import type { TenantFilter } from '../registry.js';

/** The values of one statement, in the order of their `$n`. */
export class Params {
  readonly values: unknown[] = [];

  /** Takes in a value and gives its placeholder, with a cast where the server can't tell its type. */
  add(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}

/** `shardKeyOf`, as the server reckons it. */
const SHARD_KEY = `('x' || left(encode(sha256(convert_to(t.id, 'UTF8')), 'hex'), 8))::bit(32)::bigint`;

/** The condition of a filter, over tenants that go by the name `t`. */
export function whereTenant(filter: TenantFilter, params: Params): string {
  const conditions = ['true'];
  if (filter.ids !== undefined) conditions.push(`t.id = ANY (${params.add(filter.ids, 'text[]')})`);
  if (filter.exclude !== undefined) conditions.push(`t.id <> ALL (${params.add(filter.exclude, 'text[]')})`);
  if (filter.statuses !== undefined) conditions.push(`t.status = ANY (${params.add(filter.statuses, 'text[]')})`);
  if (filter.clusters !== undefined) conditions.push(`t.cluster = ANY (${params.add(filter.clusters, 'text[]')})`);
  if (filter.labels !== undefined) conditions.push(`t.labels @> ${params.add(JSON.stringify(filter.labels), 'jsonb')}`);
  if (filter.notAt !== undefined) conditions.push(isNotAt(filter.notAt, statusesOutOfUse(filter), params));
  if (filter.at !== undefined) conditions.push(isAt(filter.at, params));
  if (filter.hasError !== undefined) conditions.push(`t.last_error IS ${filter.hasError ? 'NOT NULL' : 'NULL'}`);
  if (filter.shard !== undefined) {
    const { index, of } = filter.shard;
    conditions.push(`${SHARD_KEY} % ${params.add(of, 'bigint')} = ${params.add(index - 1, 'bigint')}`);
  }
  if (filter.ofRun !== undefined) {
    const runs = params.add([filter.ofRun.runId].flat(), 'text[]');
    const outcomes = params.add(filter.ofRun.outcomes, 'text[]');
    conditions.push(
      `EXISTS (SELECT FROM tenancy.run_tenants rt WHERE rt.run_id = ANY (${runs}) AND rt.tenant = t.id AND rt.outcome = ANY (${outcomes}))`,
    );
  }
  return conditions.join(' AND ');
}

/**
 * Written as ranges, each of which an index can answer (`IS DISTINCT FROM` can't be), so that asking a fleet
 * that is up to date costs the same whatever its size.
 */
function isNotAt(target: NonNullable<TenantFilter['notAt']>, outOfUse: readonly TenantStatus[], params: Params): string {
  const hash = params.add(target.migrationsHash, 'text');
  const ranges = [
    `t.last_error IS NOT NULL`,
    ...(outOfUse.length > 0 ? [`t.status = ANY (${params.add(outOfUse, 'text[]')})`] : []),
    `t.migrations_hash IS NULL`,
    `t.migrations_hash < ${hash}`,
    `t.migrations_hash > ${hash}`,
  ];
  if (target.schemaVersion === null) {
    ranges.push(`(t.migrations_hash = ${hash} AND t.schema_version IS NOT NULL)`);
  } else {
    const version = params.add(target.schemaVersion, 'text');
    ranges.push(
      `(t.migrations_hash = ${hash} AND t.schema_version IS NULL)`,
      `(t.migrations_hash = ${hash} AND t.schema_version < ${version})`,
      `(t.migrations_hash = ${hash} AND t.schema_version > ${version})`,
    );
  }
  return `(${ranges.join(' OR ')})`;
}

/** Null is compared by itself: `IS NOT DISTINCT FROM` no index answers. */
function isAt(versions: NonNullable<TenantFilter['at']>, params: Params): string {
  const equals = (column: string, value: string | null): string =>
    value === null ? `${column} IS NULL` : `${column} = ${params.add(value, 'text')}`;
  const each = versions.map(
    ({ schemaVersion, migrationsHash }) =>
      `(${equals('t.migrations_hash', migrationsHash)} AND ${equals('t.schema_version', schemaVersion)})`,
  );
  return each.length === 0 ? 'false' : `(${each.join(' OR ')})`;
}
