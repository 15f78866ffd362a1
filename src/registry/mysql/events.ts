import type { AuditActor, AuditBook, AuditEvent } from '../audit.js';
import { orNull, type Row } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { fromJson } from './json.js';
import type { Value } from './session.js';

interface EventRow extends Row {
  readonly sequence: number;
  readonly place: number;
  readonly at: Date;
  readonly run_id: string | null;
  readonly tenant: string | null;
  readonly type: string;
  readonly data: string;
  readonly actor: string | null;
  readonly login: string | null;
  readonly hash: string | null;
}

interface ChainRow extends Row {
  readonly chain: string;
  readonly place: number;
  readonly sequence: number;
  readonly type: string;
  readonly run_id: string | null;
  readonly previous: string | null;
  readonly hash: string | null;
}

const EVENTS = 'SELECT sequence, place, at, run_id, tenant, type, data, actor, login, hash FROM tenancy_events';

function toEvent(row: EventRow): AuditEvent {
  return {
    sequence: row.sequence,
    place: row.place,
    at: row.at,
    runId: row.run_id,
    tenant: row.tenant,
    type: row.type,
    data: fromJson(row.data),
    actor: orNull(row.actor, fromJson<AuditActor>),
    login: row.login,
    hash: row.hash,
  };
}

export function createAuditBook(db: RegistryConnection): AuditBook {
  return {
    listEvents: async (tenant, { after, limit, since = null }) => {
      const ofTenant = tenant === null ? 'tenant IS NULL' : 'tenant = ?';
      const rows = await db.read<EventRow>(
        `${EVENTS} WHERE ${ofTenant} AND sequence > ?${since === null ? '' : ' AND at >= ?'} ORDER BY sequence LIMIT ?`,
        [...(tenant === null ? [] : [tenant]), after, ...(since === null ? [] : [since.toISOString().slice(0, -1)]), limit],
      );
      return rows.map(toEvent);
    },
    listNewestEvents: async (tenant, limit) => {
      const rows = await db.read<EventRow>(`${EVENTS} WHERE tenant = ? ORDER BY sequence DESC LIMIT ?`, [tenant, limit]);
      return rows.reverse().map(toEvent);
    },
    readChains: async ({ chain = null, after, limit }) => {
      const conditions = [...(chain === null ? [] : [{ sql: 'chain = ?', params: [chain] }]), ...(after === null ? [] : [isAfter(after)])];
      const rows = await db.read<ChainRow>(
        `${CHAINED}${conditions.length === 0 ? '' : ` WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`} ORDER BY chain, place, sequence LIMIT ?`,
        [...conditions.flatMap(({ params }): readonly Value[] => params), limit],
      );
      return rows.map((row) => ({
        chain: row.chain,
        place: row.place,
        sequence: row.sequence,
        type: row.type,
        runId: row.run_id,
        fields: FIELDS.map((_, index) => String(row[`field_${index}`])),
        previous: row.previous,
        hash: row.hash,
      }));
    },
    readHeads: ({ chain = null, after, limit }) =>
      db.read<{ chain: string; place: number; hash: string }>(
        `SELECT chain, place, hash FROM tenancy_audit_heads WHERE (? IS NULL OR chain = ?) AND (? IS NULL OR chain > ?) ORDER BY chain LIMIT ?`,
        [chain, chain, after, after, limit],
      ),
    readRunHashes: async (runId, { before, after, limit }) => {
      const rows = await db.read<{ hash: string }>(
        `SELECT hash FROM tenancy_events
          WHERE run_id = ? AND type = 'tenant.settled' AND hash > ? AND sequence < ? AND JSON_EXTRACT(data, '$.isStale') IS NULL ORDER BY hash LIMIT ?`,
        [runId, after ?? '', before, limit],
      );
      return rows.map(({ hash }) => hash);
    },
    listUntold: (of, limit) =>
      db.read<{ run: string; tenant: string }>(
        `SELECT r.run_id AS run, r.tenant FROM tenancy_run_tenants r
          WHERE ${'runId' in of ? 'r.run_id' : 'r.tenant'} = ? AND r.outcome NOT IN ('not-started', 'skipped')
            AND NOT EXISTS (SELECT 1 FROM tenancy_events e WHERE e.run_id = r.run_id AND e.type = 'tenant.settled' AND e.tenant = r.tenant)
          ORDER BY r.tenant, r.run_id LIMIT ?`,
        ['runId' in of ? of.runId : of.tenant, limit],
      ),
  };
}

/** The lines between the place and the hash of the one before, as `logEvents` has them. */
const FIELDS = [
  `DATE_FORMAT(at, '%Y-%m-%dT%H:%i:%s.%fZ')`,
  'type',
  'CONCAT(data)',
  `COALESCE(tenant, '-')`,
  `COALESCE(run_id, '-')`,
  `COALESCE(actor, '-')`,
  `COALESCE(login, '-')`,
];

const CHAINED = `
  SELECT chain, place, sequence, type, run_id, previous, hash, ${FIELDS.map((field, index) => `${field} AS field_${index}`).join(', ')}
    FROM tenancy_events`;

/** Apart, since neither server looks up a row of several columns in an index. */
function isAfter({ chain, place, sequence }: { readonly chain: string; readonly place: number; readonly sequence: number }) {
  return {
    sql: '(chain > ? OR (chain = ? AND place > ?) OR (chain = ? AND place = ? AND sequence > ?))',
    params: [chain, chain, place, chain, place, sequence],
  };
}
