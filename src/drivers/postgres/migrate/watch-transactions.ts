import type { MigrateContext } from './context.js';
import { readRows } from './send-message.js';

export interface TransactionWatch {
  /** To be asked right behind one statement: whether it ended a transaction of its own before it failed. */
  haveEnded(): Promise<boolean>;
}

/**
 * A backend numbers its transactions without gaps (the second part of `virtualtransaction`), also those that a procedure ends.
 * Behind a pooler the next statement may reach another backend: there it is taken for granted.
 */
export async function watchTransactions(context: MigrateContext, isDirect: boolean): Promise<TransactionWatch> {
  if (!isDirect) return { haveEnded: async () => true };
  const before = await readTransactionNumber(context);
  return { haveEnded: async () => (await readTransactionNumber(context)) !== before + 2 };
}

async function readTransactionNumber({ deps }: MigrateContext): Promise<number> {
  const [row] = await readRows(deps.client, 'SELECT virtualtransaction FROM pg_locks WHERE pid = pg_backend_pid() LIMIT 1');
  return Number(row?.[0]?.split('/')[1]);
}
