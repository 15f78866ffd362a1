import type { Registry } from '../registry.js';
import type { Row } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { selectMs, toDate } from './rows.js';

interface EventRow extends Row {
  readonly sequence: number;
  readonly at: number;
  readonly run_id: string | null;
  readonly tenant: string | null;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export function createEventReader(db: RegistryConnection): Pick<Registry, 'listEvents'> {
  return {
    listEvents: async (tenant, { after, limit }) => {
      const rows = await db.query<EventRow>(
        `SELECT sequence, ${selectMs('at', 'at')}, run_id, tenant, type, data FROM tenancy.events
          WHERE tenant = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
        [tenant, after, limit],
      );
      return rows.map((row) => ({
        sequence: row.sequence,
        at: toDate(row.at),
        runId: row.run_id,
        tenant: row.tenant,
        type: row.type,
        data: row.data,
      }));
    },
  };
}
