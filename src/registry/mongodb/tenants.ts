import type { DriverName, TenantStatus } from '../../tenant.js';
import type { Registry, TenantSummary } from '../registry.js';
import type { RegistryConnection } from './connection.js';
import { readTenants } from './filter.js';
import { suggestTenants } from './suggest.js';
import { type ReadTenant, toTenant, WITH_TIME } from './tenant-document.js';

interface SummaryGroup {
  readonly _id: {
    readonly status: string;
    readonly cluster: string;
    readonly driver: string;
    readonly schemaVersion: string | null;
    readonly migrationsHash: string | null;
  };
  readonly tenants: number;
  readonly withError: number;
}

/** Everything that only reads tenants. */
export function createTenantReader(
  db: RegistryConnection,
): Pick<Registry, 'findTenant' | 'suggestTenants' | 'listTenants' | 'countTenants' | 'summarize'> {
  const { collections, send } = db;
  return {
    findTenant: async (id) => {
      const [found] = await send(() => collections.tenants.aggregate<ReadTenant>([{ $match: { _id: id } }, WITH_TIME]).toArray());
      return found === undefined ? null : toTenant(found, found.now);
    },
    suggestTenants: (id) => suggestTenants(db, id),
    listTenants: async (filter, { after, limit }) => {
      const stages = [{ $limit: limit }, WITH_TIME];
      const found = await send(() => readTenants<ReadTenant>(collections, filter, { after, isSorted: true, stages }));
      return found.map((tenant) => toTenant(tenant, tenant.now));
    },
    countTenants: async (filter) => {
      const [counted] = await send(() => readTenants<{ tenants: number }>(collections, filter, { stages: [{ $count: 'tenants' }] }));
      return counted?.tenants ?? 0;
    },
    summarize: async (filter) => {
      const groups = await send(() => readTenants<SummaryGroup>(collections, filter, { stages: SUMMARY }));
      return groups.map(toSummary);
    },
  };
}

const GROUPED_BY = ['status', 'cluster', 'driver', 'schemaVersion', 'migrationsHash'] as const;

const SUMMARY = [
  {
    $group: {
      _id: Object.fromEntries(GROUPED_BY.map((field) => [field, `$${field}`])),
      tenants: { $sum: 1 },
      withError: { $sum: { $cond: ['$hasError', 1, 0] } },
    },
  },
  { $sort: Object.fromEntries(GROUPED_BY.map((field) => [`_id.${field}`, 1])) },
];

function toSummary({ _id, tenants, withError }: SummaryGroup): TenantSummary {
  return { ..._id, status: _id.status as TenantStatus, driver: _id.driver as DriverName, tenants, withError };
}
