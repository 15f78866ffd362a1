import { randomUUID } from 'node:crypto';
import { foldSteps } from '../fold-steps.js';
import { toJson } from '../keepable.js';
import type { Registry } from '../registry.js';
import { type StepRow, toStep } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { READING, selectMs } from './rows.js';

export function createStepJournal(db: RegistryConnection): Pick<Registry, 'readSteps' | 'recordSteps'> {
  return {
    readSteps: async (operationId) => {
      const rows = await db.query<StepRow<number>>(
        `SELECT operation_id, tenant, step, state, attempt, error, ${selectMs('started_at', 'started_at')}, ${selectMs('finished_at', 'finished_at')}
           FROM tenancy.steps WHERE operation_id = $1 ORDER BY sequence`,
        [operationId],
      );
      return rows.map((row) => toStep(row, READING));
    },
    recordSteps: async (steps) => {
      await db.query(RECORD, [toJson(foldSteps(steps)), randomUUID()]);
    },
  };
}

/**
 * An attempt is counted when it starts; a step that was only ever reported as over has had one.
 * What one writes whose lease has gone is left out: the journal is the new holder's.
 */
const RECORD = `
  INSERT INTO tenancy.steps AS s (operation_id, step, tenant, operation, state, attempt, error, finished_at, change_id)
  SELECT operation_id, step, tenant, operation, state, greatest(starts, 1), error,
         CASE WHEN state <> 'started' THEN clock_timestamp() END, $2::uuid
    FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (operation_id text, step text, tenant text, operation text, state text, error text, starts integer, fence bigint))
         WITH ORDINALITY AS i(operation_id, step, tenant, operation, state, error, starts, fence, position)
   WHERE i.fence IS NULL OR EXISTS (SELECT FROM tenancy.tenants t WHERE t.id = i.tenant AND t.fence = i.fence)
   ORDER BY position
  ON CONFLICT (operation_id, step) DO UPDATE SET
    state = excluded.state, error = excluded.error, finished_at = excluded.finished_at, change_id = excluded.change_id,
    attempt = s.attempt + CASE WHEN excluded.state = 'started' OR s.state <> 'started' THEN 1 ELSE 0 END,
    started_at = CASE WHEN excluded.state = 'started' OR s.state <> 'started' THEN excluded.started_at ELSE s.started_at END
  WHERE s.change_id <> excluded.change_id`;
