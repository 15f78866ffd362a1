import type { TenantOutcome } from '../outcome.js';
import type { OutcomeRecord, Registry } from '../registry/registry.js';
import { createBatcher } from '../util/batcher.js';

/** Writes outcomes to the registry behind the work's back: many in one statement, and nobody waits for them but the end of the run. */
export interface OutcomeWriter {
  write(record: OutcomeRecord): void;
  /** Waits for what is on its way. @throws the first failure there was. */
  drain(): Promise<void>;
}

/** Written one by one, the outcomes of a fast fleet would cost the registry's server a tenth of what the migrations do. */
const LINGER_MS = 50;

export function createOutcomeWriter(registry: Registry, runId: string, onWritten: (outcome: TenantOutcome) => void): OutcomeWriter {
  const sending = createBatcher(
    async (records: readonly OutcomeRecord[]) => {
      await registry.recordOutcomes(runId, records);
      return records.map(() => undefined);
    },
    { maxItems: 500, lingerMs: LINGER_MS },
  );
  let failure: { readonly error: unknown } | null = null;
  return {
    write: (record) => {
      sending.add(record).then(
        () => onWritten(record.outcome),
        (error: unknown) => {
          failure ??= { error };
        },
      );
    },
    drain: async () => {
      await sending.drain();
      if (failure) throw (failure as { readonly error: unknown }).error;
    },
  };
}
