import { toJson } from '../keepable.js';
import type { Registry } from '../registry.js';
import { type RunRow, toRun } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { READING, selectMs } from './rows.js';

/** Until the first heartbeat says more: the length of a lease. */
const FIRST_BREATH_MS = 15_000;

export function createRunBook(db: RegistryConnection): Pick<Registry, 'createRun' | 'finishRun' | 'findRun' | 'listRuns'> {
  return {
    createRun: async (run) => {
      const options = toJson(run.options);
      await db.query(CREATE, [run.id, run.command, run.owner, run.host, run.target, options, run.selected, FIRST_BREATH_MS, db.actor]);
    },
    finishRun: async (id, { status, counts, notStarted, exitCode, stopped = null, owner = null, reason = null }) => {
      await db.query(FINISH, [
        id,
        status,
        JSON.stringify(counts),
        notStarted,
        exitCode,
        owner,
        reason,
        stopped && toJson(stopped),
        db.actor,
      ]);
    },
    findRun: async (id) => {
      const [row] = await db.query<RunRow<number, unknown>>(`SELECT ${RUN_COLUMNS} FROM tenancy.runs WHERE id = $1`, [id]);
      return row === undefined ? null : toRun(row, READING);
    },
    listRuns: async ({ before, limit, command = null }) => {
      const rows = await db.query<RunRow<number, unknown>>(
        `SELECT ${RUN_COLUMNS} FROM tenancy.runs
          WHERE ($1::text IS NULL OR sequence < (SELECT sequence FROM tenancy.runs WHERE id = $1)) AND ($3::text IS NULL OR command = $3)
          ORDER BY sequence DESC LIMIT $2`,
        [before, limit, command],
      );
      return rows.map((row) => toRun(row, READING));
    },
  };
}

const RUN_COLUMNS = [
  'id, command, owner, host, target, options, selected, counts, not_started, exit_code, stopped',
  'status, alive_until < clock_timestamp() AS has_died, control, control_by, end_reason',
  selectMs('paused_at', 'paused_at'),
  selectMs('started_at', 'started_at'),
  selectMs('finished_at', 'finished_at'),
].join(', ');

const CREATE = `
  WITH created AS (
    INSERT INTO tenancy.runs (id, command, owner, host, target, options, selected, alive_until)
    VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, clock_timestamp() + $8::float8 * interval '1 ms')
    ON CONFLICT (id) DO NOTHING
    RETURNING *
  )
  INSERT INTO tenancy.events (run_id, type, data, actor)
  SELECT id, 'run.started', jsonb_build_object('command', command, 'host', host, 'selected', selected, 'target', target), $9::jsonb FROM created`;

/**
 * The first end that is told stays: a call that is sent again changes nothing. With it go the heads of the chains that the run has added to, as one
 * digest (\`HashesDigest\`): whoever cuts off a tenant's newest events has to change what the run told as well. What a process told that had lost its
 * lease is left out, since it may come after the end.
 */
const FINISH = `
  WITH finished AS (
    UPDATE tenancy.runs SET status = $2, counts = $3::jsonb, not_started = $4, exit_code = $5, stopped = $8::jsonb, end_reason = $7, paused_at = NULL,
           finished_at = clock_timestamp()
     WHERE id = $1 AND status = 'running' AND ($6::text IS NULL OR owner = $6)
    RETURNING *
  ), told AS (
    SELECT encode(hash, 'hex') AS hash FROM tenancy.events WHERE run_id = $1 AND type = 'tenant.settled' AND NOT data ? 'isStale'
  ), digests AS (
    SELECT left(hash, 2) AS first, count(*) AS events, encode(sha256(string_agg(hash, '' ORDER BY hash COLLATE "C")::bytea), 'hex') AS digest
      FROM told GROUP BY 1
  ), heads AS (
    SELECT coalesce(sum(events), 0) AS events, encode(sha256(coalesce(string_agg(digest, '' ORDER BY first COLLATE "C"), '')::bytea), 'hex') AS digest FROM digests
  )
  INSERT INTO tenancy.events (run_id, type, data, actor)
  SELECT id, 'run.finished',
         jsonb_strip_nulls(jsonb_build_object('status', status, 'exitCode', exit_code, 'counts', counts, 'reason', end_reason))
           || jsonb_build_object('heads', (SELECT jsonb_build_object('events', events, 'digest', digest) FROM heads)),
         $9::jsonb
    FROM finished`;
