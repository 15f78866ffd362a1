import { randomUUID } from 'node:crypto';
import { type PreparedHomeBook, type PreparedHomeRow, toPreparedHome } from '../prepared-homes.js';
import type { Row as AnyRow } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { logEvents } from './log-events.js';
import { READING } from './rows.js';
import type { Statement, Value } from './session.js';

type Row = PreparedHomeRow<Date>;

const ALIVE = 'TIMESTAMPADD(MICROSECOND, ?, UTC_TIMESTAMP(6))';
const micros = (ms: number): number => Math.round(ms * 1000);

const SELECT = `
  SELECT id, type, cluster, driver, name, status, schema_version, migrations_hash, tenant, operation_id, host, created_at, ready_at,
         status IN ('making', 'dropping') AND alive_until <= UTC_TIMESTAMP(6) AS is_abandoned
    FROM tenancy_prepared_homes`;

/** What events tell of the home `h`; what there is nothing to say about is left out. */
const DATA = `JSON_MERGE_PATCH(JSON_OBJECT('id', h.id, 'cluster', h.cluster, 'driver', h.driver, 'name', h.name, 'host', h.host),
  JSON_OBJECT('version', h.schema_version, 'hash', h.migrations_hash))`;

export function createPreparedHomeBook(db: RegistryConnection): PreparedHomeBook {
  const read = (rows: readonly AnyRow[] | undefined) => (rows ?? []).map((row) => toPreparedHome(row as Row, READING.toDate));

  /** Of one home, as it is when the statement comes to it. */
  const log = (type: string, where: string, params: readonly Value[], tenant = 'NULL'): readonly Statement[] =>
    logEvents(db.actor, randomUUID(), {
      sql: `SELECT NULL AS run_id, ${tenant} AS tenant, ${type} AS type, ${DATA} AS data ${where}`,
      params,
    });
  const lock = (id: string): Statement => ({ sql: 'SELECT id FROM tenancy_prepared_homes WHERE id = ? FOR UPDATE', params: [id] });

  return {
    enterPreparedHomes: async (homes, { owner, host, ttlMs }) => {
      if (homes.length === 0) return [];
      const values = homes.map(() => `(?, ?, ?, ?, ?, 'making', ?, ?, ${ALIVE})`).join(', ');
      const ids = homes.map(({ id }) => id);
      const rows = await db.transact([
        // One process at a time, up to its commit: whoever lists what was entered sees all that has a lower sequence.
        { sql: 'SELECT id FROM tenancy_registry FOR UPDATE', params: [] },
        { sql: `SELECT COALESCE(JSON_ARRAYAGG(id), '[]') FROM tenancy_prepared_homes WHERE id IN (?) INTO @known`, params: [ids] },
        {
          // Not IGNORE, which would also cut short what is too long.
          sql: `INSERT INTO tenancy_prepared_homes (id, type, cluster, driver, name, status, owner, host, alive_until) VALUES ${values}
                ON DUPLICATE KEY UPDATE id = tenancy_prepared_homes.id`,
          params: homes.flatMap(({ id, type, cluster, driver, name }): Value[] => [
            ...[id, type, cluster, driver, name],
            ...[owner, host, micros(ttlMs)],
          ]),
        },
        ...ids.flatMap((id) =>
          log(
            `CONCAT(h.type, '.entered')`,
            `FROM tenancy_prepared_homes h WHERE h.id = ? AND NOT JSON_CONTAINS(@known, JSON_QUOTE(h.id))`,
            [id],
          ),
        ),
        { sql: 'SELECT id FROM tenancy_prepared_homes WHERE id IN (?)', params: [ids] },
      ]);
      return (rows.at(-1) ?? []).map(({ id }) => String(id));
    },
    listPreparedHomes: async ({ type = null, cluster = null, name = null }) => {
      const where = `WHERE (? IS NULL OR type = ?) AND (? IS NULL OR cluster = ?) AND (? IS NULL OR name = ?)`;
      return read(await db.read<Row>(`${SELECT} ${where} ORDER BY sequence`, [type, type, cluster, cluster, name, name]));
    },
    takePreparedHome: async (id, { owner, host, ttlMs, from, to }) => {
      const isFree = `((status IN (?) AND (status IN ('ready', 'claimed') OR owner = ? OR alive_until <= UTC_TIMESTAMP(6))) OR (status = ? AND owner = ?))`;
      const free = [from, owner, to, owner] as const;
      const rows = await db.transact([
        lock(id),
        ...log(`CONCAT(h.type, '.', ?)`, `FROM tenancy_prepared_homes h WHERE id = ? AND ${isFree} AND NOT (status = ? AND owner = ?)`, [
          ...[to, id],
          ...[...free, to, owner],
        ]),
        // The assignments of one UPDATE see each other, from left to right: the status, by which it is found, comes last.
        {
          sql: `UPDATE tenancy_prepared_homes SET owner = ?, host = ?, alive_until = ${ALIVE}, status = ?
                 WHERE id = ? AND ${isFree}`,
          params: [owner, host, micros(ttlMs), to, id, ...free],
        },
        { sql: `${SELECT} WHERE id = ? AND owner = ? AND status = ?`, params: [id, owner, to] },
      ]);
      return read(rows.at(-1))[0] ?? null;
    },
    finishPreparedHome: async (id, { owner, schemaVersion, migrationsHash }) => {
      const isOurs = `id = ? AND owner = ? AND status IN ('making', 'ready')`;
      const rows = await db.transact([
        lock(id),
        { sql: `SELECT COUNT(*) FROM tenancy_prepared_homes WHERE ${isOurs} AND status = 'making' INTO @made`, params: [id, owner] },
        {
          sql: `UPDATE tenancy_prepared_homes SET schema_version = ?, migrations_hash = ?, ready_at = UTC_TIMESTAMP(6), tenant = NULL,
                  operation_id = NULL, status = 'ready' WHERE ${isOurs}`,
          params: [schemaVersion, migrationsHash, id, owner],
        },
        ...log(`CONCAT(h.type, '.made')`, 'FROM tenancy_prepared_homes h WHERE id = ? AND @made = 1', [id]),
        { sql: `SELECT id FROM tenancy_prepared_homes WHERE id = ? AND owner = ? AND status = 'ready'`, params: [id, owner] },
      ]);
      return (rows.at(-1) ?? []).length > 0;
    },
    renewPreparedHomes: async (owner, ttlMs) => {
      const sql = `UPDATE tenancy_prepared_homes SET alive_until = ${ALIVE} WHERE owner = ? AND status IN ('making', 'dropping')`;
      await db.transact([{ sql, params: [micros(ttlMs), owner] }]);
    },
    claimPreparedHome: async ({ cluster, driver, tenant, operationId, migrationsHash }) => {
      // One UPDATE finds it and takes it, so that two never take the same; the other waits for the row and goes on to the next.
      const claim = {
        sql: `UPDATE tenancy_prepared_homes SET status = 'claimed', tenant = ?, operation_id = ?
               WHERE cluster = ? AND driver = ? AND status = 'ready' AND type = 'spare' AND @claimed = 0
               ORDER BY (migrations_hash <=> ?) DESC, sequence LIMIT 1`,
        params: [tenant, operationId, cluster, driver, migrationsHash],
      };
      const mine = `FROM tenancy_prepared_homes WHERE operation_id = ? AND status = 'claimed'`;
      const rows = await db.transact([
        { sql: `SELECT COUNT(*) ${mine} INTO @claimed`, params: [operationId] },
        claim,
        ...log(
          `'spare.claimed'`,
          `FROM tenancy_prepared_homes h WHERE operation_id = ? AND status = 'claimed' AND @claimed = 0 LIMIT 1`,
          [operationId],
          'h.tenant',
        ),
        { sql: `${SELECT} WHERE operation_id = ? AND status = 'claimed' LIMIT 1`, params: [operationId] },
      ]);
      return read(rows.at(-1))[0] ?? null;
    },
    returnPreparedHome: async (id, operationId) => {
      const rows = await db.transact([
        {
          sql: `SELECT COUNT(*) FROM tenancy_prepared_homes WHERE id = ? AND status = 'claimed' AND operation_id = ? INTO @returned`,
          params: [id, operationId],
        },
        ...log(`'spare.returned'`, 'FROM tenancy_prepared_homes h WHERE id = ? AND @returned = 1', [id], 'h.tenant'),
        {
          sql: `UPDATE tenancy_prepared_homes SET tenant = NULL, operation_id = NULL, status = 'ready' WHERE id = ? AND @returned = 1`,
          params: [id],
        },
        { sql: 'SELECT @returned AS returned' },
      ]);
      return Number(rows.at(-1)?.[0]?.['returned'] ?? 0) === 1;
    },
    forgetPreparedHome: async (id) => {
      await db.transact([
        lock(id),
        ...log(`CONCAT(h.type, '.forgotten')`, 'FROM tenancy_prepared_homes h WHERE id = ?', [id], 'h.tenant'),
        { sql: 'DELETE FROM tenancy_prepared_homes WHERE id = ?', params: [id] },
      ]);
    },
  };
}
