import type { Registry } from '../registry.js';
import { type SummaryRow, toSummary } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { whereTenant } from './filter.js';
import { TENANT_COLUMNS, type TenantRow, toTenant } from './rows.js';
import { suggestTenants } from './suggest.js';

/** Everything that only reads tenants. */
export function createTenantReader(
  db: RegistryConnection,
): Pick<Registry, 'findTenant' | 'suggestTenants' | 'listTenants' | 'countTenants' | 'summarize'> {
  return {
    findTenant: async (id) => {
      const [row] = await db.read<TenantRow>(`SELECT ${TENANT_COLUMNS} FROM tenancy_tenants t WHERE t.id = ?`, [id]);
      // Trailing blanks don't count in a comparison.
      return row === undefined || row.id !== id ? null : toTenant(row);
    },
    suggestTenants: (id) => suggestTenants(db, id),
    listTenants: async (filter, { after, limit }) => {
      const where = whereTenant(filter);
      const rows = await db.read<TenantRow>(
        `SELECT ${TENANT_COLUMNS} FROM tenancy_tenants t WHERE ${where.sql}${after === null ? '' : ' AND t.id > ?'} ORDER BY t.id LIMIT ?`,
        [...where.params, ...(after === null ? [] : [after]), limit],
      );
      return rows.map(toTenant);
    },
    countTenants: async (filter) => {
      const where = whereTenant(filter);
      const [row] = await db.read<{ tenants: number }>(
        `SELECT COUNT(*) AS tenants FROM tenancy_tenants t WHERE ${where.sql}`,
        where.params,
      );
      return row?.tenants ?? 0;
    },
    summarize: async (filter) => {
      const where = whereTenant(filter);
      const rows = await db.read<SummaryRow>(
        `SELECT t.status, t.cluster, t.driver, t.schema_version, t.migrations_hash, COUNT(*) AS tenants, COUNT(NULLIF(t.has_error, 0)) AS with_error
           FROM tenancy_tenants t WHERE ${where.sql}
          GROUP BY t.status, t.cluster, t.driver, t.schema_version, t.migrations_hash
          ORDER BY t.status, t.cluster, t.driver, t.schema_version IS NULL, t.schema_version, t.migrations_hash IS NULL, t.migrations_hash`,
        where.params,
      );
      return rows.map(toSummary);
    },
  };
}
