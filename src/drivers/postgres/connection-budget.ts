import type { Client } from 'pg';
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

const IDLE_TIMEOUT_MS = 30_000;

export interface BudgetOptions extends ConnectionOptions {
  readonly maxConnections: number;
}

/** A client, for as long as it is lent. */
export interface Loan {
  readonly client: Client;
  readonly serverVersion: number;
  /** `isClean` false: it is closed instead of being lent again. Resolves when the loan no longer counts. */
  giveBack(isClean: boolean): Promise<void>;
}

interface Waiter {
  readonly database: DatabaseKey;
  readonly grant: (member: ServerConnection) => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * The connections to one server, over all of its databases: never more than `maxConnections` at once, also while some of them
 * open or close. Served in the order of asking. An idle connection is lent again for the same database, and closed first where
 * another database needs its place.
 *
 * Whoever holds a loan must not ask for a second one before giving it back: with all lent out both would wait for ever.
 */
export class ConnectionBudget {
  readonly #options: BudgetOptions;
  /** Least recently used first. */
  #idle: ServerConnection[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #members = new Set<ServerConnection>();
  readonly #opening = new Set<Promise<void>>();
  readonly #connecting = new Set<Client>();
  /** Opening, open and closing: what the server may count. */
  #taken = 0;
  #closing = 0;
  #isClosed = false;

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /**
   * @throws the server's own error where it can't be connected to; the signal's reason on abort;
   * on abort while the client is lent, its statement is cancelled and the client closed.
   */
  async borrow(database: DatabaseKey, signal?: AbortSignal): Promise<Loan> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw closedError();
    const member = await this.#wait(database, signal);
    return this.#lend(member, signal);
  }

  /** Closes idle connections to a database, which would stand in the way of renaming or dropping it. */
  async closeIdle(database: DatabaseKey): Promise<void> {
    const leaving = this.#idle.filter((member) => member.database === database);
    this.#idle = this.#idle.filter((member) => member.database !== database);
    await Promise.all(leaving.map((member) => this.#retire(member)));
  }

  /** Refuses whoever waits, and closes everything, also what is still lent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.refuse(closedError());
    const idle = this.#idle;
    this.#idle = [];
    const lent = [...this.#members].filter((member) => !idle.includes(member));
    for (const client of this.#connecting) destroySocket(client);
    await Promise.all([...idle.map((member) => this.#retire(member)), ...lent.map(interruptConnection), ...this.#opening]);
  }

  #wait(database: DatabaseKey, signal: AbortSignal | undefined): Promise<ServerConnection> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        const position = this.#waiters.indexOf(waiter);
        if (position >= 0) this.#waiters.splice(position, 1);
        reject(signal?.reason);
        this.#serve();
      };
      const waiter: Waiter = {
        database,
        grant: (member) => {
          signal?.removeEventListener('abort', onAbort);
          // Connected too late for one who has gone: kept for the next.
          if (signal?.aborted === true) this.#keep(member);
          else resolve(member);
        },
        refuse: (error) => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
      this.#serve();
    });
  }

  #serve(): void {
    for (let head = this.#waiters[0]; head !== undefined; head = this.#waiters[0]) {
      const { database } = head;
      const position = this.#idle.findLastIndex((member) => member.database === database);
      const [member] = position < 0 ? [] : this.#idle.splice(position, 1);
      if (member !== undefined) head.grant(member);
      else if (this.#taken < this.#options.maxConnections) this.#track(this.#open(head));
      else break;
      this.#waiters.shift();
    }
    // One place is made for each that waits, and no more than that.
    while (this.#closing < this.#waiters.length && this.#idle.length > 0) {
      const evicted = this.#idle.shift();
      if (evicted !== undefined) void this.#retire(evicted);
    }
  }

  #track(opening: Promise<void>): void {
    this.#opening.add(opening);
    void opening.finally(() => this.#opening.delete(opening));
  }

  async #open(waiter: Waiter): Promise<void> {
    this.#taken++;
    try {
      const member = await this.#connect(waiter.database);
      if (this.#isClosed) {
        await this.#retire(member);
        waiter.refuse(closedError());
      } else waiter.grant(member);
    } catch (error) {
      this.#taken--;
      waiter.refuse(error);
      this.#serve();
    }
  }

  async #connect(database: DatabaseKey): Promise<ServerConnection> {
    const connection = await createConnection(this.#options, database, (broken) => this.#drop(broken));
    if (this.#isClosed) throw closedError();
    this.#connecting.add(connection.client);
    try {
      await openConnection(connection);
    } finally {
      this.#connecting.delete(connection.client);
    }
    this.#members.add(connection);
    return connection;
  }

  /** Told by the socket that it is dead, or by the clock that nobody wants it. One that is lent is counted until it is given back. */
  #drop(member: ServerConnection): void {
    const position = this.#idle.indexOf(member);
    if (position < 0) return;
    this.#idle.splice(position, 1);
    void this.#retire(member);
  }

  #lend(member: ServerConnection, signal: AbortSignal | undefined): Loan {
    clearTimeout(member.idleTimer);
    let interrupted: Promise<void> | null = null;
    const onAbort = (): void => {
      member.isBroken = true;
      interrupted = interruptConnection(member);
    };
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    let isBack = false;
    return {
      client: member.client,
      serverVersion: member.serverVersion,
      giveBack: async (isClean) => {
        if (isBack) return;
        isBack = true;
        signal?.removeEventListener('abort', onAbort);
        if (interrupted !== null) await interrupted;
        if (isClean && !member.isBroken && !this.#isClosed) this.#keep(member);
        else await this.#retire(member);
      },
    };
  }

  #keep(member: ServerConnection): void {
    if (member.isBroken || this.#isClosed) {
      void this.#retire(member);
      return;
    }
    this.#idle.push(member);
    this.#serve();
    this.#closeLater(member);
  }

  /** A program that lives on must not sit on connections that it no longer uses. */
  #closeLater(member: ServerConnection): void {
    if (!this.#idle.includes(member)) return;
    clearTimeout(member.idleTimer);
    member.idleTimer = setTimeout(() => this.#drop(member), IDLE_TIMEOUT_MS);
    member.idleTimer.unref();
  }

  /** Closes, and counts the place as free only when the socket is closed. */
  async #retire(member: ServerConnection): Promise<void> {
    this.#closing++;
    clearTimeout(member.idleTimer);
    await closeConnection(member);
    this.#closing--;
    this.#taken--;
    this.#members.delete(member);
    this.#serve();
  }
}

function closedError(): Error {
  return new Error('the connections of this cluster have been closed');
}
