import type { Run, TenantFilter } from '../registry/registry.js';

/** The shard that a run was, as a part of a filter: what is taken up of it later is of that shard too. */
export function readShardOf({ options }: Run): Pick<TenantFilter, 'shard'> {
  const { shard } = (options['filter'] ?? {}) as TenantFilter;
  return shard === undefined ? {} : { shard };
}
