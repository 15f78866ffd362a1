import type { TenantSummary } from '../../registry/registry.js';
import { type DriverName, TENANT_STATUSES, type Tenant, type TenantFailure, type TenantStatus } from '../../tenant.js';

/** `current`: at the target. `ahead`: has what this checkout doesn't know. `drifted`: the target's name, another history. `unknown`: there is no target. */
export type VersionState = 'current' | 'behind' | 'ahead' | 'drifted' | 'unknown';

/** `tenancy status`. */
export interface StatusDocument {
  readonly v: 1;
  readonly registry: string;
  /** All that aren't deprovisioned. */
  readonly tenants: number;
  readonly target: string | null;
  readonly statuses: readonly { readonly status: TenantStatus; readonly tenants: number }[];
  readonly clusters: readonly { readonly cluster: string; readonly tenants: number }[];
  /** Of the tenants that are active or suspended; the most tenants first. */
  readonly versions: readonly { readonly schemaVersion: string | null; readonly tenants: number; readonly state: VersionState }[];
  readonly behind: number;
  /** Tenants whose last command failed. */
  readonly withError: number;
  readonly laggards: readonly { readonly id: string; readonly cluster: string; readonly schemaVersion: string | null }[];
  readonly failures: readonly {
    readonly id: string;
    readonly cluster: string;
    readonly status: TenantStatus;
    readonly error: TenantFailure | null;
  }[];
}

export interface StatusFacts {
  /** Redacted. */
  readonly registry: string;
  readonly summaries: readonly TenantSummary[];
  /** The newest migration, where all drivers have the same. */
  readonly target: string | null;
  readonly goal: (driver: DriverName) => StatusGoal;
  /** The first few. */
  readonly laggards: readonly Tenant[];
  readonly failures: readonly Tenant[];
}

/** Where tenants of one driver are to be. */
export interface StatusGoal {
  /** Null where that isn't known without asking them. */
  readonly target: { readonly schemaVersion: string | null; readonly migrationsHash: string } | null;
  /** Names of the local migrations. */
  readonly migrations: readonly string[];
}

export function toStatusDocument({ registry, summaries, target, goal, laggards, failures }: StatusFacts): StatusDocument {
  const present = summaries.filter(({ status }) => status !== 'deprovisioned');
  const versions = new Map<string, { schemaVersion: string | null; tenants: number; state: VersionState }>();
  for (const summary of present.filter(({ status }) => status === 'active' || status === 'suspended')) {
    const state = judgeVersion(summary, goal(summary.driver));
    const key = JSON.stringify([summary.schemaVersion, state]);
    const row = versions.get(key) ?? { schemaVersion: summary.schemaVersion, tenants: 0, state };
    row.tenants += summary.tenants;
    versions.set(key, row);
  }
  const rows = [...versions.values()].sort((a, b) => b.tenants - a.tenants);
  const statuses = countBy(summaries, ({ status }) => status);
  return {
    v: 1,
    registry,
    tenants: sum(present),
    target,
    statuses: TENANT_STATUSES.map((status) => ({ status, tenants: statuses.get(status) ?? 0 })).filter(({ tenants }) => tenants > 0),
    clusters: [...countBy(present, ({ cluster }) => cluster)].map(([cluster, tenants]) => ({ cluster, tenants })),
    versions: rows,
    behind: sum(rows.filter(({ state }) => state === 'behind')),
    withError: present.reduce((total, { withError }) => total + withError, 0),
    laggards: laggards.map(({ id, cluster, schemaVersion }) => ({ id, cluster, schemaVersion })),
    failures: failures.map(({ id, cluster, status, lastError }) => ({ id, cluster, status, error: lastError })),
  };
}

function judgeVersion({ schemaVersion, migrationsHash }: TenantSummary, { target, migrations }: StatusGoal): VersionState {
  if (target === null) return 'unknown';
  if (schemaVersion === target.schemaVersion)
    return schemaVersion === null || migrationsHash === target.migrationsHash ? 'current' : 'drifted';
  return schemaVersion === null || migrations.includes(schemaVersion) ? 'behind' : 'ahead';
}

function countBy<Key>(summaries: readonly TenantSummary[], keyOf: (summary: TenantSummary) => Key): ReadonlyMap<Key, number> {
  const counts = new Map<Key, number>();
  for (const summary of summaries) counts.set(keyOf(summary), (counts.get(keyOf(summary)) ?? 0) + summary.tenants);
  return counts;
}

function sum(rows: readonly { readonly tenants: number }[]): number {
  return rows.reduce((total, { tenants }) => total + tenants, 0);
}
