import type { TenantOutcome } from '../outcome.js';
import type { DriverName, Tenant } from '../tenant.js';
import type { LeaseGrant, LeaseRequest, TenantFilter } from './registry.js';

/**
 * What it takes to carry one run out from many processes: the registry itself says who is next. A store that can't hand tenants out
 * one by one, each to one process, has none of it.
 */
export interface RunDistribution {
  /**
   * Leases up to `limit` tenants of the filter that nobody has a lease of and that have no end in this run, in the order of ids after `after`.
   * Of many who ask at the same time, none is given a tenant that another is given, and none waits for another.
   * @param known ids that this owner has already: any other that is leased to it was given in an answer that got lost, and is given again.
   */
  takeTenants(runId: string, request: TakeRequest): Promise<readonly Extract<LeaseGrant, { status: 'granted' }>[]>;
  /** Whether a tenant of the filter has no end in this run yet, leased or not. */
  hasLeft(runId: string, filter: TenantFilter): Promise<boolean>;
  /** How many of those there are on each cluster that has any, and what kinds of home they have. */
  listLeft(runId: string, filter: TenantFilter): Promise<readonly LeftTenants[]>;
  /** Those of the filter, the first hundred of them, that have no end in this run and whose lease is another run's or command's. */
  listHeldElsewhere(runId: string, filter: TenantFilter): Promise<readonly Tenant[]>;
  /** The outcomes that were recorded since then, oldest first, and what to ask with the next time; some may come twice. */
  listRecentOutcomes(runId: string, since: number | null): Promise<{ readonly outcomes: readonly TenantOutcome[]; readonly now: number }>;
  /** The tenants that somebody works on for this run: those whose lease's owner begins with the run's id and a slash. */
  listInFlight(runId: string): Promise<readonly InFlightTenant[]>;
  /**
   * Takes from these owners, each named by how its name begins, what leases of theirs have expired: a process that stood still and wakes up can't renew them then,
   * and stops what it has in flight. What is still theirs they keep.
   */
  dropExpired(owners: readonly string[]): Promise<void>;
}

export interface TakeRequest {
  readonly filter: TenantFilter;
  readonly after: string | null;
  readonly limit: number;
  readonly lease: LeaseRequest;
  readonly known: readonly string[];
}

export interface LeftTenants {
  readonly cluster: string;
  readonly tenants: number;
  readonly drivers: readonly DriverName[];
}

export interface InFlightTenant extends Pick<Tenant, 'id' | 'cluster'> {
  readonly owner: string;
  readonly host: string;
}
