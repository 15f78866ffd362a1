import { redact } from '../util/redact.js';
import type { NewStepRecord } from './registry.js';

/** What a batch says of one step, under the names of columns. */
export interface FoldedStep {
  readonly operation_id: string;
  readonly step: string;
  readonly tenant: string;
  readonly operation: string;
  readonly state: string;
  readonly error: string | null;
  /** How often it says that the step started. */
  readonly starts: number;
  readonly fence: number | null;
}

/** A batch may say of one step that it started and that it is done; one SQL statement can write a row only once. */
export function foldSteps(steps: readonly NewStepRecord[]): readonly FoldedStep[] {
  const folded = new Map<string, FoldedStep>();
  for (const { operationId, step, tenant, operation, state, error, fence = null } of steps) {
    const key = JSON.stringify([operationId, step]);
    const starts = (folded.get(key)?.starts ?? 0) + (state === 'started' ? 1 : 0);
    folded.set(key, {
      operation_id: operationId,
      step,
      tenant,
      operation,
      state,
      error: error === null ? null : redact(error),
      starts,
      fence,
    });
  }
  return [...folded.values()];
}
