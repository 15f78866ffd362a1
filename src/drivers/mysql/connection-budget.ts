import { settlesWithin } from '../../util/abort.js';
import type { MysqlAddress } from '../../util/mysql-url.js';
import { ConnectionLoans, type Loan } from '../connection-loans.js';
import { type ConnectionOptions, openConnection, type ServerConnection } from './connection.js';
import { interruptConnection } from './interrupt.js';

/** A server has nothing to wait for before it answers. */
const KILL_TIMEOUT_MS = 3_000;

export interface BudgetOptions extends ConnectionOptions {
  readonly maxConnections: number;
}

/**
 * The connections to one server. None is bound to a database, so any idle one will do; each is reset before it is lent again.
 *
 * One more than the most is opened for a moment when a statement has to be killed while none is idle: the server ends a statement for
 * nobody but another connection, and whoever waits for a place must not have to wait for that.
 */
export class ConnectionBudget {
  readonly #options: ConnectionOptions;
  readonly #loans: ConnectionLoans<ServerConnection, MysqlAddress | null>;
  /** Interruptions use the one connection too many one after the other. */
  #interrupting: Promise<unknown> = Promise.resolve();

  constructor({ maxConnections, ...options }: BudgetOptions) {
    this.#options = options;
    this.#loans = new ConnectionLoans(maxConnections, {
      open: (address, onBroken) => openConnection(address === null ? options : { ...options, address }, onBroken),
      // One of another login is never given back to be lent again.
      suits: (_, address) => address === null,
      reset: (connection) => connection.reset(),
      interrupt: (connection) => {
        connection.isBroken = true;
        return interruptConnection(connection, () => this.killStatement(connection));
      },
      close: (connection) => connection.close(),
    });
  }

  /** The server's numbers of all connections that are open. */
  get ids(): readonly number[] {
    return this.#loans.members.map(({ id }) => id);
  }

  /** As `ConnectionLoans` counts. */
  get taken(): number {
    return this.#loans.taken;
  }

  /** As `ConnectionLoans` lends. */
  borrow(signal?: AbortSignal): Promise<Loan<ServerConnection>> {
    return this.#loans.borrow(null, signal);
  }

  /** One of another login, within the same bound. Not to be given back as clean. */
  borrowAs(address: MysqlAddress, signal?: AbortSignal): Promise<Loan<ServerConnection>> {
    return this.#loans.borrow(address, signal);
  }

  /** Ends the statement that a lent connection is at, from another connection; the connection stays. */
  async killStatement(target: ServerConnection): Promise<void> {
    const kill = async (control: ServerConnection): Promise<void> => {
      // An error is the statement's, which was over; a connection that broke tells by itself, and one that has gone silent is closed.
      if (!(await settlesWithin(control.send(`KILL QUERY ${target.id}`), KILL_TIMEOUT_MS))) control.destroy();
    };
    if (await this.#loans.useIdle(kill)) return;
    const turn = this.#interrupting.then(async () => {
      const control = await openConnection(this.#options, () => {});
      await kill(control);
      await control.close();
    });
    this.#interrupting = turn.catch(() => undefined);
    await this.#interrupting;
  }

  /** Refuses whoever waits, and closes everything, also what is still lent. */
  async close(): Promise<void> {
    await this.#loans.close();
    await this.#interrupting;
  }
}
