import type { Client } from 'pg';
import { hideSecrets } from '../../../migrations/sql/excerpt.js';

/** A loop that raises one for each row must not fill the disk, once for each tenant. */
const MOST_NOTICES = 1_000;

/** 25P01, no_active_sql_transaction: of a ROLLBACK of ours behind what has rolled back by itself. */
const OURS = new Set(['25P01']);

interface Notice {
  readonly severity: string | undefined;
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
}

/** Hands on what the server says beside its answers (RAISE NOTICE, WARNING) while `use` runs, but for what it says of our own tables. */
export async function withNotices<T>(client: Client, log: ((text: string) => void) | undefined, use: () => Promise<T>): Promise<T> {
  if (log === undefined) return use();
  let count = 0;
  const onNotice = ({ severity, code, message = '', detail, hint }: Notice): void => {
    if (OURS.has(code ?? '') || /"_(tenancy|prisma_migrations")/.test(message)) return;
    count++;
    if (count === MOST_NOTICES) log(`… no more than ${MOST_NOTICES} notices are kept`);
    if (count >= MOST_NOTICES) return;
    log(hideSecrets(`${severity ?? 'NOTICE'}: ${message}${detail ? `; detail: ${detail}` : ''}${hint ? `; hint: ${hint}` : ''}`));
  };
  const listener = onNotice as Parameters<typeof client.on<'notice'>>[1];
  client.on('notice', listener);
  try {
    return await use();
  } finally {
    client.off('notice', listener);
  }
}
