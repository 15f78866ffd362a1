import type { Registry } from '../registry.js';
import type { Row } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { fromJson } from './json.js';

interface EventRow extends Row {
  readonly sequence: number;
  readonly at: Date;
  readonly run_id: string | null;
  readonly tenant: string | null;
  readonly type: string;
  readonly data: string;
}

export function createEventReader(db: RegistryConnection): Pick<Registry, 'listEvents'> {
  return {
    listEvents: async (tenant, { after, limit }) => {
      const rows = await db.read<EventRow>(
        `SELECT sequence, at, run_id, tenant, type, data FROM tenancy_events
          WHERE tenant = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
        [tenant, after, limit],
      );
      return rows.map((row) => ({
        sequence: row.sequence,
        at: row.at,
        runId: row.run_id,
        tenant: row.tenant,
        type: row.type,
        data: fromJson(row.data),
      }));
    },
  };
}
