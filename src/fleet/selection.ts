import { TenancyError } from '../errors.js';
import type { TenantFilter } from '../registry/registry.js';
import type { TenantStatus } from '../tenant.js';
import { parseTenantId } from '../tenant.js';
import type { Shard } from '../util/shard.js';

/** Which tenants a command is for. Either ids, or what they have in common; nothing at all is an error, never "all". */
export interface TenantSelection {
  readonly ids?: readonly string[];
  /** Every tenant that is active, or suspended with its data in place. */
  readonly all?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly clusters?: readonly string[];
  readonly statuses?: readonly TenantStatus[];
  readonly exclude?: readonly string[];
  /** Only those that failed in the last run of the same command in which any did; by itself or besides any other selection. */
  readonly failed?: boolean;
  /** Only those of one shard of the fleet; besides a selection, and none by itself. */
  readonly shard?: Shard;
}

/**
 * The registry filter that stands for a selection, save for `failed`, which asks the registry.
 * @throws TenancyError `TENANCY_SELECTION_MISSING`, `TENANCY_SELECTION_REFUSED`, `TENANCY_ID_REJECTED`; before any connection.
 */
export function parseSelection(selection: TenantSelection, command: string, defaultStatuses: readonly TenantStatus[]): TenantFilter {
  const { ids = [], all = false, labels = {}, clusters = [], statuses = [], exclude = [], failed = false, shard } = selection;
  const isByTrait = all || Object.keys(labels).length > 0 || clusters.length > 0 || statuses.length > 0;
  if (ids.length === 0 && !isByTrait && !failed) throw new TenancyError('TENANCY_SELECTION_MISSING', { command });
  if (ids.length > 0 && isByTrait) {
    throw new TenancyError('TENANCY_SELECTION_REFUSED', { reason: `${command} was given ids and a selection at once` });
  }
  const narrowed = {
    ...(exclude.length > 0 ? { exclude: exclude.map((id) => parseTenantId(id)) } : {}),
    ...(shard === undefined ? {} : { shard }),
  };
  if (ids.length > 0) return { ids: [...new Set(ids.map((id) => parseTenantId(id)))], ...narrowed };
  return {
    statuses: statuses.length > 0 ? statuses : defaultStatuses,
    ...(clusters.length > 0 ? { clusters } : {}),
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...narrowed,
  };
}
