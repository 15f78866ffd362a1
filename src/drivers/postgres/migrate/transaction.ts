import { DatabaseError } from 'pg';
import type { MigrateContext } from './context.js';
import { rollBack, withGuard } from './guarded.js';
import { sendMessage } from './send-message.js';

export interface GuardedMessage {
  readonly tenant: string;
  readonly expectedDigest: string | null;
  readonly withSetUp: boolean;
  /** Sent behind the guard, each one statement. */
  readonly statements: readonly string[];
  /** False: the transaction stays open for the caller to end. */
  readonly isCommitted: boolean;
  readonly onRow?: (values: readonly (string | null)[]) => void;
}

/** One guarded transaction of our own statements, in one message. Rejects with the server's error, after a ROLLBACK. */
export async function sendGuarded(context: MigrateContext, message: GuardedMessage): Promise<void> {
  const { deps, sql } = context;
  await withGuard(context, message.tenant, message.withSetUp, async ({ withSetUp }) => {
    const prelude = [
      ...sql.begin,
      ...(withSetUp ? sql.guardWithSetUp : sql.guard),
      ...(message.expectedDigest === null ? [] : [sql.checkDigest(message.expectedDigest)]),
    ];
    const text = [...prelude, ...message.statements, ...(message.isCommitted ? ['COMMIT'] : [])].join(';');
    const onRow = (values: readonly (string | null)[], index: number): void => {
      if (index >= prelude.length) message.onRow?.(values);
    };
    try {
      await sendMessage(deps.client, text, { onRow });
    } catch (error) {
      if (error instanceof DatabaseError) await rollBack(context);
      throw error;
    }
  });
}
