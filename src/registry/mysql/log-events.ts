import type { Statement } from './session.js';

/** What is to be written: rows of `run_id`, `tenant`, `type` and `data`, of each tenant one at most. */
export type EventSource = Statement;

const EVENTS = `JSON_TABLE(@events, '$[*]' COLUMNS (
    chain VARCHAR(64) CHARACTER SET utf8mb4 PATH '$.chain', run_id VARCHAR(190) CHARACTER SET utf8mb4 PATH '$.run',
    tenant VARCHAR(64) CHARACTER SET utf8mb4 PATH '$.tenant', type VARCHAR(190) CHARACTER SET utf8mb4 PATH '$.type',
    data LONGTEXT CHARACTER SET utf8mb4 PATH '$.data')) e`;

/** As `hashEvent` has it; `h` is the head to which the event is added. */
const HASH = `SHA2(CONCAT_WS('\\n', 'tenancy event 1', h.place + 1, DATE_FORMAT(@at, '%Y-%m-%dT%H:%i:%s.%fZ'), e.type, e.data, COALESCE(e.tenant, '-'),
    COALESCE(e.run_id, '-'), COALESCE(@actor, '-'), CURRENT_USER(), h.hash), 256)`;

/**
 * Writes events to the audit trail, each chained to the newest of its tenant, whose head stays locked to the end of the transaction. The
 * only statements that may: what isn't chained shows as put in by hand.
 *
 * The events are kept in a variable first, so that their text is the same for the hash and for the row. `actor`: JSON.
 */
export function logEvents(actor: string | null, change: string | null, source: EventSource): readonly Statement[] {
  return [
    {
      // JSON as text: what becomes of JSON in JSON differs between the two servers. What is NULL is left out, by both.
      sql: `SELECT JSON_ARRAYAGG(JSON_MERGE_PATCH(
                JSON_OBJECT('chain', COALESCE(s.tenant, '*'), 'type', s.type, 'data', CONCAT(JSON_MERGE_PRESERVE('{}', s.data))),
                JSON_OBJECT('run', s.run_id, 'tenant', s.tenant)))
              FROM (${source.sql}) s INTO @events`,
      params: source.params ?? [],
    },
    {
      sql: `INSERT INTO tenancy_audit_heads (chain, place, hash) SELECT e.chain, 0, REPEAT('0', 64) FROM ${EVENTS} ORDER BY e.chain
            ON DUPLICATE KEY UPDATE tenancy_audit_heads.chain = VALUES(chain)`,
    },
    // Of after the wait for the heads.
    { sql: 'SET @at = UTC_TIMESTAMP(6), @actor = ?', params: [actor] },
    {
      sql: `INSERT INTO tenancy_events (run_id, tenant, type, data, at, change_id, place, actor, login, previous, hash)
            SELECT e.run_id, e.tenant, e.type, e.data, @at, ?, h.place + 1, @actor, CURRENT_USER(), h.hash, ${HASH}
              FROM ${EVENTS} STRAIGHT_JOIN tenancy_audit_heads h ON h.chain = e.chain ORDER BY e.chain`,
      params: [change],
    },
    // From the left to the right: the hash is reckoned with the place that was.
    { sql: `UPDATE ${EVENTS} STRAIGHT_JOIN tenancy_audit_heads h ON h.chain = e.chain SET h.hash = ${HASH}, h.place = h.place + 1` },
  ];
}
