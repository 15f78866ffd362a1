import { TenancyError } from '../errors.js';
import type { NewTenant } from './registry.js';

/** Who is in the way of a new tenant, by the same id in another case or by the same home. */
export interface Clash {
  readonly isOfId: boolean;
  readonly id: string;
  readonly takenBy: string;
  readonly cluster: string;
  readonly name: string;
}

/** Of those that are given twice the last. @throws TenancyError `TENANCY_ID_TAKEN`, `TENANCY_PLACEMENT_TAKEN` where two are in each other's way */
export function distinctTenants(tenants: readonly NewTenant[]): readonly NewTenant[] {
  const distinct = [...new Map(tenants.map((tenant) => [tenant.id as string, tenant])).values()];
  const ids = new Map<string, string>();
  const homes = new Map<string, string>();
  for (const { id, cluster, name } of distinct) {
    const namesake = ids.get(id.toLowerCase());
    if (namesake !== undefined) throw clashError({ isOfId: true, id, takenBy: namesake, cluster, name });
    ids.set(id.toLowerCase(), id);
    const home = JSON.stringify([cluster, name.toLowerCase()]);
    const neighbour = homes.get(home);
    if (neighbour !== undefined) throw clashError({ isOfId: false, id, takenBy: neighbour, cluster, name });
    homes.set(home, id);
  }
  return distinct;
}

export function clashError({ isOfId, id, takenBy, cluster, name }: Clash): TenancyError {
  if (isOfId) return new TenancyError('TENANCY_ID_TAKEN', { id, takenBy });
  return new TenancyError('TENANCY_PLACEMENT_TAKEN', { id, takenBy, cluster, name });
}
