import { ConnectionLoans } from '../connection-loans.js';
import {
  type ConnectionOptions,
  closeConnection,
  createConnection,
  type DatabaseKey,
  interruptConnection,
  openConnection,
  type ServerConnection,
} from './server-connection.js';
import { destroySocket } from './wire.js';

export interface BudgetOptions extends ConnectionOptions {
  readonly maxConnections: number;
}

/** The connections to one server, over all of its databases. A connection is bound to one of them. */
export type ConnectionBudget = ConnectionLoans<ServerConnection, DatabaseKey>;

/** Opens none yet. What is given back as clean is lent on as it is. */
export function createConnectionBudget({ maxConnections, ...options }: BudgetOptions): ConnectionBudget {
  return new ConnectionLoans(maxConnections, {
    open: (database, onBroken, closing) => open(options, database, { onBroken, closing }),
    suits: (connection, database) => connection.database === database,
    reset: async () => {},
    interrupt: interruptConnection,
    close: closeConnection,
  });
}

async function open(
  options: ConnectionOptions,
  database: DatabaseKey,
  { onBroken, closing }: { readonly onBroken: (connection: ServerConnection) => void; readonly closing: AbortSignal },
): Promise<ServerConnection> {
  const connection = await createConnection(options, database, onBroken);
  closing.throwIfAborted();
  const onClose = (): void => destroySocket(connection.client);
  closing.addEventListener('abort', onClose, { once: true });
  try {
    await openConnection(connection);
  } finally {
    closing.removeEventListener('abort', onClose);
  }
  return connection;
}
