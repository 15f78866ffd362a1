import type { AuditActor, AuditBook, AuditEvent } from '../audit.js';
import type { Row } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { selectMs, toDate } from './rows.js';

interface EventRow extends Row {
  readonly sequence: number;
  readonly place: number;
  readonly at: number;
  readonly run_id: string | null;
  readonly tenant: string | null;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly actor: AuditActor | null;
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

function toEvent({ at, run_id: runId, ...row }: EventRow): AuditEvent {
  return { ...row, at: toDate(at), runId };
}

export function createAuditBook(db: RegistryConnection): AuditBook {
  return {
    listEvents: async (tenant, { after, limit, since = null }) => {
      const rows = await db.query<EventRow>(tenant === null ? LIST_OWN : LIST, [
        tenant,
        after,
        limit,
        since === null ? null : since.getTime(),
      ]);
      return rows.map(toEvent);
    },
    listNewestEvents: async (tenant, limit) => (await db.query<EventRow>(LIST_NEWEST, [tenant, limit])).reverse().map(toEvent),
    readChains: async ({ chain = null, after, limit }) => {
      const params = [chain, after?.chain ?? '', after?.place ?? 0, after?.sequence ?? 0, limit];
      const rows = await db.query<ChainRow>(chain === null ? READ_CHAINS : READ_CHAIN, params);
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
      db.query<{ chain: string; place: number; hash: string }>(READ_HEADS, [chain, after, limit]),
    readRunHashes: async (runId, { before, after, limit }) => {
      const rows = await db.query<{ hash: string }>(RUN_HASHES, [runId, before, after, limit]);
      return rows.map(({ hash }) => hash);
    },
    listUntold: (of, limit) =>
      db.query<{ run: string; tenant: string }>(UNTOLD, ['runId' in of ? of.runId : null, 'tenant' in of ? of.tenant : null, limit]),
  };
}

const EVENTS = `
  SELECT sequence, place, ${selectMs('at', 'at')}, run_id, tenant, type, data, actor, login, encode(hash, 'hex') AS hash FROM tenancy.events`;

function list(ofTenant: string): string {
  return `${EVENTS}
   WHERE ${ofTenant} AND sequence > $2 AND ($4::float8 IS NULL OR at >= to_timestamp($4::float8 / 1000)) ORDER BY sequence LIMIT $3`;
}

const LIST = list('tenant = $1');
const LIST_OWN = list('$1::text IS NULL AND tenant IS NULL');
const LIST_NEWEST = `${EVENTS} WHERE tenant = $1 ORDER BY sequence DESC LIMIT $2`;

/** The lines between the place and the hash of the one before, as `tenancy.hash_event` has them. */
const FIELDS = [
  `to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
  'type',
  'data::text',
  `coalesce(tenant, '-')`,
  `coalesce(run_id, '-')`,
  `coalesce(actor::text, '-')`,
  `coalesce(login, '-')`,
];

const CHAIN = `(coalesce(tenant, '*') COLLATE "C")`;

function readChains(condition: string): string {
  return `
  SELECT ${CHAIN} AS chain, place, sequence, type, run_id, encode(previous, 'hex') AS previous, encode(hash, 'hex') AS hash,
         ${FIELDS.map((field, index) => `${field} AS field_${index}`).join(', ')}
    FROM tenancy.events WHERE ${condition} ORDER BY ${CHAIN}, place, sequence LIMIT $5`;
}

const READ_CHAINS = readChains(`$1::text IS NULL AND (${CHAIN}, place, sequence) > ($2, $3, $4)`);
const READ_CHAIN = readChains(`${CHAIN} = $1 AND ($2::text = '' OR (place, sequence) > ($3, $4))`);

const READ_HEADS = `
  SELECT chain, place, encode(hash, 'hex') AS hash FROM tenancy.audit_heads
   WHERE ($1::text IS NULL OR chain = $1) AND ($2::text IS NULL OR chain > $2) ORDER BY chain LIMIT $3`;

const RUN_HASHES = `
  SELECT encode(hash, 'hex') AS hash FROM tenancy.events
   WHERE run_id = $1 AND type = 'tenant.settled' AND NOT data ? 'isStale' AND sequence < $2 AND ($3::text IS NULL OR hash > decode($3, 'hex'))
   ORDER BY hash LIMIT $4`;

const UNTOLD = `
  SELECT r.run_id AS run, r.tenant FROM tenancy.run_tenants r
   WHERE ($1::text IS NULL OR r.run_id = $1) AND ($2::text IS NULL OR r.tenant = $2) AND r.outcome NOT IN ('not-started', 'skipped')
     AND NOT EXISTS (SELECT FROM tenancy.events e WHERE e.run_id = r.run_id AND e.type = 'tenant.settled' AND e.tenant = r.tenant)
   ORDER BY r.tenant, r.run_id LIMIT $3`;
