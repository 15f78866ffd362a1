import type { ResolvedConfig } from '../config/types.js';
import { TenancyError } from '../errors.js';
import type { TenantFilter } from '../registry/registry.js';

/** A typo must not make an empty selection, which ends well. */
export function refuseUnknownClusters({ clusters }: ResolvedConfig, filter: TenantFilter): void {
  const unknown = filter.clusters?.find((name) => !clusters[name]);
  if (unknown === undefined) return;
  throw new TenancyError('TENANCY_OPTION_REJECTED', {
    option: '--cluster',
    value: unknown,
    expected: `one of ${Object.keys(clusters).join(', ')}`,
  });
}
