import { randomUUID } from 'node:crypto';
import { toJson } from '../keepable.js';
import type { NewRun, Registry } from '../registry.js';
import { type RunRow, toRun } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { isDuplicate } from './failures.js';
import { logEvents } from './log-events.js';
import { READING } from './rows.js';

/** Until the first heartbeat says more: the length of a lease. */
const FIRST_BREATH_MS = 15_000;

export function createRunBook(db: RegistryConnection): Pick<Registry, 'createRun' | 'finishRun' | 'findRun' | 'listRuns'> {
  return {
    createRun: (run) => createRun(db, run),
    finishRun: async (id, { status, counts, notStarted, exitCode, stopped = null, owner = null, reason = null }) => {
      const data = toJson({ status, exitCode, counts, ...(reason === null ? {} : { reason }) });
      const change = randomUUID();
      const isOurs = `id = ? AND status = 'running' AND (? IS NULL OR owner = ?)`;
      await db.transact([
        { sql: 'SELECT id FROM tenancy_runs WHERE id = ? FOR UPDATE', params: [id] },
        // With it go the heads of the chains that the run has added to, as one digest (`HashesDigest`): whoever cuts off a tenant's newest
        // events has to change what the run told as well. What a process told that had lost its lease is left out: it may come after the end.
        { sql: HEADS, params: [id] },
        ...logEvents(db.actor, change, {
          sql: `SELECT id AS run_id, NULL AS tenant, 'run.finished' AS type, JSON_MERGE_PRESERVE(?, @heads) AS data FROM tenancy_runs WHERE ${isOurs}`,
          params: [data, id, owner, owner],
        }),
        // The first end that is told stays: a call that is sent again changes nothing.
        {
          sql: `UPDATE tenancy_runs SET counts = ?, not_started = ?, exit_code = ?, stopped = ?, finished_at = UTC_TIMESTAMP(6), end_reason = ?,
              paused_at = NULL, status = ?
            WHERE ${isOurs}`,
          params: [toJson(counts), notStarted, exitCode, stopped && toJson(stopped), reason, status, id, owner, owner],
        },
      ]);
    },
    findRun: async (id) => {
      const [row] = await db.read<RunRow<Date, string>>(`SELECT ${RUN_COLUMNS} FROM tenancy_runs WHERE id = ?`, [id]);
      return row === undefined ? null : toRun(row, READING);
    },
    listRuns: async ({ before, limit, command = null }) => {
      const older = before === null ? 'TRUE' : 'sequence < (SELECT b.sequence FROM tenancy_runs b WHERE b.id = ?)';
      const ofCommand = command === null ? '' : ' AND command = ?';
      const rows = await db.read<RunRow<Date, string>>(
        `SELECT ${RUN_COLUMNS} FROM tenancy_runs WHERE ${older}${ofCommand} ORDER BY sequence DESC LIMIT ?`,
        [...(before === null ? [] : [before]), ...(command === null ? [] : [command]), limit],
      );
      return rows.map((row) => toRun(row, READING));
    },
  };
}

async function createRun(db: RegistryConnection, run: NewRun): Promise<void> {
  const { id, command, owner, host, target, selected } = run;
  const data = toJson({ command, host, selected, target });
  try {
    await db.transact([
      ...logEvents(db.actor, randomUUID(), {
        sql: `SELECT ? AS run_id, NULL AS tenant, 'run.started' AS type, ? AS data`,
        params: [id, data],
      }),
      {
        sql: `INSERT INTO tenancy_runs (id, command, owner, host, target, options, selected, alive_until)
          VALUES (?, ?, ?, ?, ?, ?, ?, TIMESTAMPADD(MICROSECOND, ?, UTC_TIMESTAMP(6)))`,
        params: [id, command, owner, host, target, toJson(run.options), selected, FIRST_BREATH_MS * 1000],
      },
    ]);
  } catch (error) {
    // It is there already, from before a lost answer.
    if (!isDuplicate(error)) throw error;
  }
}

const HEADS = `
  SELECT JSON_OBJECT('heads', JSON_OBJECT('events', CAST(COALESCE(SUM(d.events), 0) AS SIGNED),
           'digest', SHA2(COALESCE(GROUP_CONCAT(d.digest ORDER BY d.byte SEPARATOR ''), ''), 256)))
    FROM (
      SELECT LEFT(e.hash, 2) AS byte, COUNT(*) AS events, SHA2(GROUP_CONCAT(e.hash ORDER BY e.hash SEPARATOR ''), 256) AS digest
        FROM tenancy_events e WHERE e.run_id = ? AND e.type = 'tenant.settled' AND e.place > 0 AND JSON_EXTRACT(e.data, '$.isStale') IS NULL
       GROUP BY LEFT(e.hash, 2)
    ) d INTO @heads`;

const RUN_COLUMNS = [
  'id, command, owner, host, target, options, selected, counts, not_started, exit_code, stopped, started_at, finished_at',
  'status, alive_until < UTC_TIMESTAMP(6) AS has_died, control, control_by, paused_at, end_reason',
].join(', ');
