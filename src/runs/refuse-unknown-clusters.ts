import type { ResolvedConfig } from '../config/types.js';
import type { TenantFilter } from '../registry/registry.js';
import { rejectChoice } from '../util/reject-choice.js';

/** A typo must not make an empty selection, which ends well. */
export function refuseUnknownClusters({ clusters }: ResolvedConfig, filter: TenantFilter): void {
  const unknown = filter.clusters?.find((name) => !clusters[name]);
  if (unknown === undefined) return;
  throw rejectChoice('--cluster', unknown, Object.keys(clusters));
}
