import { randomUUID } from 'node:crypto';
import { type FoldedStep, foldSteps } from '../fold-steps.js';
import type { Registry } from '../registry.js';
import { type StepRow, toStep } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import { inputTable, toInputRows } from './json.js';
import { setInput } from './lock.js';
import { READING } from './rows.js';
import type { Statement } from './session.js';

export function createStepJournal(db: RegistryConnection): Pick<Registry, 'readSteps' | 'recordSteps'> {
  return {
    readSteps: async (operationId) => {
      const rows = await db.read<StepRow<Date>>(
        `SELECT operation_id, tenant, step, state, attempt, error, started_at, finished_at
           FROM tenancy_steps WHERE operation_id = ? ORDER BY sequence`,
        [operationId],
      );
      return rows.map((row) => toStep(row, READING));
    },
    recordSteps: async (steps) => {
      await db.transact(planRecord(foldSteps(steps), randomUUID()));
    },
  };
}

const INPUT = inputTable({
  operation_id: 'text',
  step: 'text',
  tenant: 'text',
  operation: 'text',
  state: 'text',
  error: 'text',
  starts: 'int',
  fence: 'int',
});

/**
 * An attempt is counted when it starts; a step that was only ever reported as over has had one.
 * What one writes whose lease has gone is left out: the journal is the new holder's.
 * Assignments are made from the left to the right, each seeing those before it: `state` and `change_id`, which others ask for, come last.
 */
function planRecord(steps: readonly FoldedStep[], change: string): readonly Statement[] {
  const isNew = 'tenancy_steps.change_id <> VALUES(change_id)';
  const isAttempt = `(VALUES(state) = 'started' OR tenancy_steps.state <> 'started')`;
  const assign = (column: string, value: string): string => `${column} = IF(${isNew}, ${value}, tenancy_steps.${column})`;
  const assignments = [
    assign('attempt', `tenancy_steps.attempt + IF(${isAttempt}, 1, 0)`),
    assign('started_at', `IF(${isAttempt}, VALUES(started_at), tenancy_steps.started_at)`),
    assign('finished_at', 'VALUES(finished_at)'),
    assign('error', 'VALUES(error)'),
    assign('state', 'VALUES(state)'),
    'change_id = VALUES(change_id)',
  ];
  return [
    setInput(toInputRows(steps)),
    {
      sql: `INSERT INTO tenancy_steps (operation_id, step, tenant, operation, state, attempt, error, started_at, finished_at, change_id)
        SELECT i.operation_id, i.step, i.tenant, i.operation, i.state, GREATEST(i.starts, 1), i.error, UTC_TIMESTAMP(6),
               CASE WHEN i.state <> 'started' THEN UTC_TIMESTAMP(6) END, ?
          FROM ${INPUT}
         WHERE i.fence IS NULL OR EXISTS (SELECT 1 FROM tenancy_tenants t WHERE t.id = i.tenant AND t.fence = i.fence)
         ORDER BY i.n
        ON DUPLICATE KEY UPDATE ${assignments.join(', ')}`,
      params: [change],
    },
  ];
}
