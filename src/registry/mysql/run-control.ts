import { randomUUID } from 'node:crypto';
import { toJson } from '../keepable.js';
import type { Registry, RunControl } from '../registry.js';
import type { RegistryConnection } from './connection.js';
import { logEvents } from './log-events.js';
import type { Statement } from './session.js';

/** Until the first heartbeat says more: the length of a lease. */
const FIRST_BREATH_MS = 15_000;

const LIVES_UNTIL = 'TIMESTAMPADD(MICROSECOND, ?, UTC_TIMESTAMP(6))';

export function createRunControl(db: RegistryConnection): Pick<Registry, 'controlRun' | 'hearRun' | 'takeOverRun'> {
  /** Changes a run that matches, with an entry in the audit trail; the condition is looked at once, under the lock of its row. */
  const changeMatching = async (
    id: string,
    event: { readonly type: string; readonly data: object },
    change: Statement,
    matches: Statement,
  ): Promise<boolean> => {
    const rows = await db.transact([
      { sql: 'SELECT id FROM tenancy_runs WHERE id = ? FOR UPDATE', params: [id] },
      { sql: 'SET @matches = 0' },
      { sql: `SELECT 1 FROM tenancy_runs WHERE id = ? AND ${matches.sql} INTO @matches`, params: [id, ...(matches.params ?? [])] },
      ...logEvents(db.actor, randomUUID(), {
        sql: `SELECT id AS run_id, NULL AS tenant, ? AS type, ? AS data FROM tenancy_runs WHERE id = ? AND @matches = 1`,
        params: [event.type, toJson(event.data), id],
      }),
      { sql: `UPDATE tenancy_runs SET ${change.sql} WHERE id = ? AND @matches = 1`, params: [...(change.params ?? []), id] },
      { sql: 'SELECT @matches AS matches' },
    ]);
    return Number(rows.at(-1)?.[0]?.['matches'] ?? 0) === 1;
  };

  return {
    controlRun: (id, { from, to, by }) =>
      changeMatching(
        id,
        { type: 'run.asked', data: { control: to, by } },
        { sql: 'control = ?, control_by = ?', params: [to, by] },
        { sql: `status = 'running' AND alive_until >= UTC_TIMESTAMP(6) AND control IN (?)`, params: [from] },
      ),
    hearRun: async (id, { owner, ttlMs, isHolding }) => {
      const holding = Number(isHolding);
      const rows = await db.transact([
        {
          sql: `UPDATE tenancy_runs SET alive_until = ${LIVES_UNTIL},
              paused_at = CASE WHEN ? = 1 THEN COALESCE(paused_at, UTC_TIMESTAMP(6)) END
            WHERE id = ? AND owner = ? AND status = 'running'`,
          params: [Math.round(ttlMs * 1000), holding, id, owner],
        },
        { sql: `SELECT control FROM tenancy_runs WHERE id = ? AND owner = ? AND status = 'running'`, params: [id, owner] },
      ]);
      return (rows.at(-1)?.[0]?.['control'] as RunControl | undefined) ?? null;
    },
    takeOverRun: async (id, { owner, host }) => {
      const isTaken = await changeMatching(
        id,
        { type: 'run.taken-over', data: { host } },
        {
          sql: `status = 'running', owner = ?, host = ?, alive_until = ${LIVES_UNTIL}, control = 'go-on', control_by = NULL, paused_at = NULL,
            end_reason = NULL, counts = NULL, not_started = NULL, exit_code = NULL, finished_at = NULL`,
          params: [owner, host, FIRST_BREATH_MS * 1000],
        },
        {
          sql: `((status = 'running' AND alive_until < UTC_TIMESTAMP(6)) OR (status = 'interrupted' AND NOT (end_reason <=> 'cancelled')))`,
        },
      );
      if (isTaken) return true;
      // From before a lost answer.
      const ours = `SELECT id FROM tenancy_runs WHERE id = ? AND owner = ? AND status = 'running'`;
      return (await db.read(ours, [id, owner])).length > 0;
    },
  };
}
