import { IN_USE, TENANT_STATUSES, type TenantStatus } from '../tenant.js';
import type { TenantFilter } from './registry.js';

/** Of the statuses that a filter lets through, those in which a tenant is at no version, whatever is recorded. */
export function statusesOutOfUse({ statuses = TENANT_STATUSES }: Pick<TenantFilter, 'statuses'>): readonly TenantStatus[] {
  return statuses.filter((status) => !IN_USE.includes(status));
}
