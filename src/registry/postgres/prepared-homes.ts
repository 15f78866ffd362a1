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
      const rows = await db.query<{ id: string }>(ENTER, [...columns, ...more, owner, host, ttlMs]);
      return rows.map(({ id }) => id);
    },
    listPreparedHomes: async ({ type = null, cluster = null, name = null }) => {
      const rows = await db.query<Row>(LIST, [type, cluster, name]);
      return rows.map((row) => toPreparedHome(row, toDate));
    },
    takePreparedHome: async (id, { owner, host, ttlMs, from, to }) => {
      const [row] = await db.query<Row>(TAKE, [id, owner, host, ttlMs, from, to]);
      return row === undefined ? null : toPreparedHome(row, toDate);
    },
    finishPreparedHome: async (id, { owner, schemaVersion, migrationsHash }) =>
      (await db.query(FINISH, [id, owner, schemaVersion, migrationsHash])).length > 0,
    renewPreparedHomes: async (owner, ttlMs) => {
      await db.query(RENEW, [owner, ttlMs]);
    },
    claimPreparedHome: async ({ cluster, driver, tenant, operationId, migrationsHash }) => {
      const [row] = await db.query<Row>(CLAIM, [cluster, driver, tenant, operationId, migrationsHash]);
      return row === undefined ? null : toPreparedHome(row, toDate);
    },
    returnPreparedHome: async (id, operationId) => (await db.query(RETURN, [id, operationId])).length > 0,
    forgetPreparedHome: async (id) => {
      await db.query('DELETE FROM tenancy.prepared_homes WHERE id = $1', [id]);
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

/** Sent again after a lost answer it finds its own. */
const ENTER = `
  WITH wanted AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS w (id, type, cluster, driver, name)),
  entered AS (
    INSERT INTO tenancy.prepared_homes (id, type, cluster, driver, name, status, owner, host, alive_until)
    SELECT id, type, cluster, driver, name, 'making', $6, $7, ${alive('$8')} FROM wanted
    ON CONFLICT DO NOTHING RETURNING id
  )
  SELECT id FROM entered UNION SELECT id FROM tenancy.prepared_homes WHERE id = ANY ($1::text[])`;

const LIST = `
  SELECT ${COLUMNS} FROM tenancy.prepared_homes h
   WHERE ($1::text IS NULL OR type = $1) AND ($2::text IS NULL OR cluster = $2) AND ($3::text IS NULL OR name = $3) ORDER BY sequence`;

const TAKE = `
  UPDATE tenancy.prepared_homes h SET status = $6, owner = $2, host = $3, alive_until = ${alive('$4')}
   WHERE id = $1 AND ((status = ANY ($5::text[]) AND (status IN ('ready', 'claimed') OR owner = $2 OR alive_until <= clock_timestamp()))
                   OR (status = $6 AND owner = $2))
  RETURNING ${COLUMNS}`;

const FINISH = `
  UPDATE tenancy.prepared_homes
     SET status = 'ready', schema_version = $3, migrations_hash = $4, ready_at = clock_timestamp(), tenant = NULL, operation_id = NULL
   WHERE id = $1 AND owner = $2 AND status IN ('making', 'ready') RETURNING id`;

const RENEW = `UPDATE tenancy.prepared_homes SET alive_until = ${alive('$2')} WHERE owner = $1 AND status IN ('making', 'dropping')`;

/** One that another is just claiming is passed over, not waited for. */
const CLAIM = `
  WITH mine AS (SELECT h.id FROM tenancy.prepared_homes h WHERE operation_id = $4 AND status = 'claimed' LIMIT 1),
  picked AS (
    SELECT id FROM tenancy.prepared_homes
     WHERE cluster = $1 AND driver = $2 AND status = 'ready' AND type = 'spare' AND NOT EXISTS (SELECT FROM mine)
     ORDER BY migrations_hash IS NOT DISTINCT FROM $5 DESC, sequence LIMIT 1 FOR UPDATE SKIP LOCKED
  )
  UPDATE tenancy.prepared_homes h SET status = 'claimed', tenant = $3, operation_id = $4
   WHERE id IN (SELECT id FROM picked UNION ALL SELECT id FROM mine) RETURNING ${COLUMNS}`;

const RETURN = `
  UPDATE tenancy.prepared_homes SET status = 'ready', tenant = NULL, operation_id = NULL
   WHERE id = $1 AND status = 'claimed' AND operation_id = $2 RETURNING id`;
