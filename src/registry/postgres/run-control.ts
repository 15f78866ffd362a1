import type { Registry, RunControl } from '../registry.js';
import type { RegistryConnection } from './connection.js';

/** Until the first heartbeat says more: the length of a lease. */
const FIRST_BREATH_MS = 15_000;

export function createRunControl(db: RegistryConnection): Pick<Registry, 'controlRun' | 'hearRun' | 'takeOverRun'> {
  return {
    controlRun: async (id, { from, to, by }) => (await db.query(CONTROL, [id, from, to, by, db.actor])).length > 0,
    hearRun: async (id, { owner, ttlMs, isHolding }) => {
      const [row] = await db.query<{ control: RunControl }>(HEAR, [id, owner, ttlMs, isHolding]);
      return row?.control ?? null;
    },
    takeOverRun: async (id, { owner, host }) => (await db.query(TAKE_OVER, [id, owner, host, FIRST_BREATH_MS, db.actor])).length > 0,
  };
}

const CONTROL = `
  WITH asked AS (
    UPDATE tenancy.runs SET control = $3, control_by = $4
     WHERE id = $1 AND status = 'running' AND alive_until >= clock_timestamp() AND control = ANY ($2::text[])
    RETURNING id
  ), logged AS (
    INSERT INTO tenancy.events (run_id, type, data, actor)
    SELECT id, 'run.asked', jsonb_build_object('control', $3::text, 'by', $4::text), $5::jsonb FROM asked
  )
  SELECT id FROM asked`;

const HEAR = `
  UPDATE tenancy.runs SET alive_until = clock_timestamp() + $3::float8 * interval '1 ms',
         paused_at = CASE WHEN $4::boolean THEN coalesce(paused_at, clock_timestamp()) WHEN control = 'pause' THEN paused_at END
   WHERE id = $1 AND owner = $2 AND status = 'running'
  RETURNING control`;

/** Sent again after a lost answer it finds the run its owner's already. */
const TAKE_OVER = `
  WITH taken AS (
    UPDATE tenancy.runs SET status = 'running', owner = $2, host = $3, alive_until = clock_timestamp() + $4::float8 * interval '1 ms',
           control = 'go-on', control_by = NULL, paused_at = NULL, end_reason = NULL,
           counts = NULL, not_started = NULL, exit_code = NULL, finished_at = NULL
     WHERE id = $1 AND ((status = 'running' AND alive_until < clock_timestamp())
                     OR (status = 'interrupted' AND end_reason IS DISTINCT FROM 'cancelled'))
    RETURNING id
  ), logged AS (
    INSERT INTO tenancy.events (run_id, type, data, actor) SELECT id, 'run.taken-over', jsonb_build_object('host', $3::text), $5::jsonb FROM taken
  )
  SELECT id FROM taken UNION ALL SELECT id FROM tenancy.runs WHERE id = $1 AND owner = $2 AND status = 'running'`;
