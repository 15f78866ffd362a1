import type { Registry } from '../registry.js';
import { type SummaryRow, toSummary } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { Params, whereTenant } from './filter.js';
import { TENANT_COLUMNS, type TenantRow, toTenant } from './rows.js';
import { suggestTenants } from './suggest.js';

/** What tenants are counted by, as the index `tenants_counted` has it. */
const STATE = 't.status, t.cluster, t.driver, t.schema_version, t.migrations_hash';

/** Everything that only reads tenants. */
export function createTenantReader(
  db: RegistryConnection,
): Pick<Registry, 'findTenant' | 'suggestTenants' | 'listTenants' | 'countTenants' | 'summarize'> {
  return {
    findTenant: async (id) => {
      const [row] = await db.query<TenantRow>(`SELECT ${TENANT_COLUMNS} FROM tenancy.tenants t WHERE t.id = $1`, [id]);
      return row === undefined ? null : toTenant(row);
    },
    suggestTenants: (id) => suggestTenants(db, id),
    listTenants: async (filter, page) => {
      const params = new Params();
      const conditions = [whereTenant(filter, params)];
      if (page.after !== null) conditions.push(`t.id > ${params.add(page.after, 'text')}`);
      const rows = await db.query<TenantRow>(
        `SELECT ${TENANT_COLUMNS} FROM tenancy.tenants t WHERE ${conditions.join(' AND ')} ORDER BY t.id LIMIT ${params.add(page.limit, 'int')}`,
        params.values,
      );
      return rows.map(toTenant);
    },
    countTenants: async (filter) => {
      const params = new Params();
      const [row] = await db.query<{ tenants: number }>(
        `SELECT count(*) AS tenants FROM tenancy.tenants t WHERE ${whereTenant(filter, params)}`,
        params.values,
      );
      return row?.tenants ?? 0;
    },
    summarize: async (filter) => {
      const params = new Params();
      const where = whereTenant(filter, params);
      // In two counts, so that an index alone answers the large one: an error is nowhere but in the row.
      const rows = await db.query<SummaryRow>(
        `SELECT ${STATE}, sum(tenants)::bigint AS tenants, sum(with_error)::bigint AS with_error
           FROM (SELECT ${STATE}, count(*) AS tenants, 0 AS with_error FROM tenancy.tenants t WHERE ${where} GROUP BY ${STATE}
                  UNION ALL
                 SELECT ${STATE}, 0, count(*) FROM tenancy.tenants t WHERE ${where} AND t.last_error IS NOT NULL GROUP BY ${STATE}) t
          GROUP BY ${STATE} ORDER BY ${STATE}`,
        params.values,
      );
      return rows.map(toSummary);
    },
  };
}
