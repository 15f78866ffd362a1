import { type PreparedHomeBook, type PreparedHomeRow, toPreparedHome } from '../prepared-homes.js';
import type { RegistryConnection } from './connection.js';
import { selectMs, toDate } from './rows.js';

type Row = PreparedHomeRow<number>;

export function createPreparedHomeBook(db: RegistryConnection): PreparedHomeBook {
  return {
    enterPreparedHomes: async (homes, { owner, host, ttlMs }) => {
      if (homes.length === 0) return [];
      const columns = [homes.map(({ id }) => id), homes.map(({ type }) => type), homes.map(({ cluster }) => cluster)];
      const more = [homes.map(({ driver }) => driver), homes.map(({ name }) => name)];
      const rows = await db.query<{ id: string }>(ENTER, [...columns, ...more, owner, host, ttlMs, db.actor]);
      return rows.map(({ id }) => id);
    },
    listPreparedHomes: async ({ type = null, cluster = null, name = null }) => {
      const rows = await db.query<Row>(LIST, [type, cluster, name]);
      return rows.map((row) => toPreparedHome(row, toDate));
    },
    takePreparedHome: async (id, { owner, host, ttlMs, from, to }) => {
      const [row] = await db.query<Row>(TAKE, [id, owner, host, ttlMs, from, to, db.actor]);
      return row === undefined ? null : toPreparedHome(row, toDate);
    },
    finishPreparedHome: async (id, { owner, schemaVersion, migrationsHash }) =>
      (await db.query(FINISH, [id, owner, schemaVersion, migrationsHash, db.actor])).length > 0,
    renewPreparedHomes: async (owner, ttlMs) => {
      await db.query(RENEW, [owner, ttlMs]);
    },
    claimPreparedHome: async ({ cluster, driver, tenant, operationId, migrationsHash }) => {
      const [row] = await db.query<Row>(CLAIM, [cluster, driver, tenant, operationId, migrationsHash, db.actor]);
      return row === undefined ? null : toPreparedHome(row, toDate);
    },
    returnPreparedHome: async (id, operationId) => (await db.query(RETURN, [id, operationId, db.actor])).length > 0,
    forgetPreparedHome: async (id) => {
      await db.query(FORGET, [id, db.actor]);
    },
  };
}

const COLUMNS = [
  'h.id, h.type, h.cluster, h.driver, h.name, h.status, h.schema_version, h.migrations_hash, h.tenant, h.operation_id, h.host',
  `h.status IN ('making', 'dropping') AND h.alive_until <= clock_timestamp() AS is_abandoned`,
  selectMs('h.created_at', 'created_at'),
  selectMs('h.ready_at', 'ready_at'),
].join(', ');

const alive = (parameter: string): string => `clock_timestamp() + ${parameter}::float8 * interval '1 ms'`;

/** An event for each row of a relation; told of who claimed it, where somebody did, else of nobody's. */
function log(relation: string, type: string, actor: string, rest = '', tenant = 'NULL::text'): string {
  return `
    INSERT INTO tenancy.events (tenant, type, data, actor)
    SELECT ${tenant}, ${type}, jsonb_strip_nulls(jsonb_build_object('id', h.id, 'cluster', h.cluster, 'driver', h.driver, 'name', h.name,
             'version', h.schema_version, 'hash', h.migrations_hash, 'host', h.host)), ${actor}::jsonb
      FROM ${relation} h ${rest}`;
}

/**
 * Sent again after a lost answer it finds its own.
 *
 * One process at a time, up to its commit: whoever lists what was entered sees all that has a lower sequence. A sequence alone is no order of
 * commits, and two who fill a pool at once would both keep all of theirs.
 */
const ENTER = `
  WITH wanted AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS w (id, type, cluster, driver, name)),
  turn AS MATERIALIZED (SELECT id FROM tenancy.registry FOR UPDATE),
  entered AS (
    INSERT INTO tenancy.prepared_homes (id, type, cluster, driver, name, status, owner, host, alive_until)
    SELECT w.id, w.type, w.cluster, w.driver, w.name, 'making', $6, $7, ${alive('$8')} FROM wanted w CROSS JOIN turn
    ON CONFLICT DO NOTHING RETURNING *
  ), logged AS (${log('entered', `h.type || '.entered'`, '$9')})
  SELECT id FROM entered UNION SELECT id FROM tenancy.prepared_homes WHERE id = ANY ($1::text[])`;

const LIST = `
  SELECT ${COLUMNS} FROM tenancy.prepared_homes h
   WHERE ($1::text IS NULL OR type = $1) AND ($2::text IS NULL OR cluster = $2) AND ($3::text IS NULL OR name = $3) ORDER BY sequence`;

const TAKE = `
  WITH before AS (SELECT * FROM tenancy.prepared_homes WHERE id = $1 FOR UPDATE),
  taken AS (
    UPDATE tenancy.prepared_homes h SET status = $6, owner = $2, host = $3, alive_until = ${alive('$4')}
      FROM before b
     WHERE h.id = b.id AND ((b.status = ANY ($5::text[]) AND (b.status IN ('ready', 'claimed') OR b.owner = $2 OR b.alive_until <= clock_timestamp()))
                         OR (b.status = $6 AND b.owner = $2))
    RETURNING h.*
  ), logged AS (${log('taken', `h.type || '.' || h.status`, '$7', 'JOIN before b ON b.id = h.id WHERE b.status <> h.status OR b.owner <> h.owner')})
  SELECT ${COLUMNS} FROM taken h`;

const FINISH = `
  WITH before AS (SELECT * FROM tenancy.prepared_homes WHERE id = $1 FOR UPDATE),
  finished AS (
    UPDATE tenancy.prepared_homes h
       SET status = 'ready', schema_version = $3, migrations_hash = $4, ready_at = clock_timestamp(), tenant = NULL, operation_id = NULL
      FROM before b WHERE h.id = b.id AND b.owner = $2 AND b.status IN ('making', 'ready')
    RETURNING h.*
  ), logged AS (${log('finished', `h.type || '.made'`, '$5', `JOIN before b ON b.id = h.id WHERE b.status <> 'ready'`)})
  SELECT id FROM finished`;

const RENEW = `UPDATE tenancy.prepared_homes SET alive_until = ${alive('$2')} WHERE owner = $1 AND status IN ('making', 'dropping')`;

/** One that another is just claiming is passed over, not waited for. */
const CLAIM = `
  WITH mine AS (SELECT h.id FROM tenancy.prepared_homes h WHERE operation_id = $4 AND status = 'claimed' LIMIT 1),
  picked AS (
    SELECT id FROM tenancy.prepared_homes
     WHERE cluster = $1 AND driver = $2 AND status = 'ready' AND type = 'spare' AND NOT EXISTS (SELECT FROM mine)
     ORDER BY migrations_hash IS NOT DISTINCT FROM $5 DESC, sequence LIMIT 1 FOR UPDATE SKIP LOCKED
  ), claimed AS (
    UPDATE tenancy.prepared_homes h SET status = 'claimed', tenant = $3, operation_id = $4
     WHERE id IN (SELECT id FROM picked UNION ALL SELECT id FROM mine) RETURNING h.*
  ), logged AS (${log('claimed', `'spare.claimed'`, '$6', 'WHERE EXISTS (SELECT FROM picked)', 'h.tenant')})
  SELECT ${COLUMNS} FROM claimed h`;

const RETURN = `
  WITH before AS (SELECT * FROM tenancy.prepared_homes WHERE id = $1 AND status = 'claimed' AND operation_id = $2 FOR UPDATE),
  returned AS (
    UPDATE tenancy.prepared_homes h SET status = 'ready', tenant = NULL, operation_id = NULL FROM before b WHERE h.id = b.id RETURNING h.id
  ), logged AS (${log('before', `'spare.returned'`, '$3', '', 'h.tenant')})
  SELECT id FROM returned`;

const FORGET = `
  WITH forgotten AS (DELETE FROM tenancy.prepared_homes WHERE id = $1 RETURNING *),
  logged AS (${log('forgotten', `h.type || '.forgotten'`, '$2', '', 'h.tenant')})
  SELECT id FROM forgotten`;
