import type { Client } from 'pg';
import { withDatabase } from './cluster-url.js';
import { cancelStatement, destroySocket, drain, onServerVersion } from './wire.js';

const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_DELAY_MS = 10_000;
/** How long a goodbye may take before the socket is torn down. */
const CLOSE_TIMEOUT_MS = 3_000;

export interface BudgetOptions {
  readonly url: string;
  readonly maxConnections: number;
  readonly applicationName: string;
}

/** A client, for as long as it is lent. */
export interface Loan {
  readonly client: Client;
  readonly serverVersion: number;
  /** `isClean` false: it is closed instead of being lent again. Resolves when the loan no longer counts. */
  giveBack(isClean: boolean): Promise<void>;
}

/** `database` null: the one that the URL names. */
type DatabaseKey = string | null;

interface Member {
  readonly client: Client;
  readonly database: DatabaseKey;
  serverVersion: number;
  isBroken: boolean;
  /** Resolves when the socket is closed on both sides, so that the server counts it no longer. */
  readonly ended: Promise<void>;
}

interface Waiter {
  readonly database: DatabaseKey;
  readonly grant: (member: Member) => void;
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
  #idle: Member[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #members = new Set<Member>();
  readonly #opening = new Set<Promise<void>>();
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
    if (this.#isClosed) throw new Error('the connections of this cluster have been closed');
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
    for (const waiter of this.#waiters.splice(0)) waiter.refuse(new Error('the connections of this cluster have been closed'));
    const idle = this.#idle;
    this.#idle = [];
    const lent = [...this.#members].filter((member) => !idle.includes(member));
    await Promise.all([...idle.map((member) => this.#retire(member)), ...lent.map(interrupt), ...this.#opening]);
  }

  #wait(database: DatabaseKey, signal: AbortSignal | undefined): Promise<Member> {
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
        waiter.refuse(new Error('the connections of this cluster have been closed'));
      } else waiter.grant(member);
    } catch (error) {
      this.#taken--;
      waiter.refuse(error);
      this.#serve();
    }
  }

  async #connect(database: DatabaseKey): Promise<Member> {
    const { default: pg } = await import('pg');
    const client = new pg.Client({
      connectionString: database === null ? this.#options.url : withDatabase(this.#options.url, database),
      application_name: this.#options.applicationName,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    });
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
    const member: Member = { client, database, serverVersion: 0, isBroken: false, ended };
    onServerVersion(client, (version) => {
      member.serverVersion = version;
    });
    client.on('error', () => this.#drop(member));
    client.once('end', () => this.#drop(member));
    try {
      await client.connect();
    } catch (error) {
      destroySocket(client);
      await ended;
      throw error;
    }
    this.#members.add(member);
    return member;
  }

  /** Told by the socket that it is dead. One that is lent is counted until it is given back. */
  #drop(member: Member): void {
    member.isBroken = true;
    const position = this.#idle.indexOf(member);
    if (position < 0) return;
    this.#idle.splice(position, 1);
    void this.#retire(member);
  }

  #lend(member: Member, signal: AbortSignal | undefined): Loan {
    let interrupted: Promise<void> | null = null;
    const onAbort = (): void => {
      member.isBroken = true;
      interrupted = interrupt(member);
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

  #keep(member: Member): void {
    if (member.isBroken || this.#isClosed) {
      void this.#retire(member);
      return;
    }
    this.#idle.push(member);
    this.#serve();
  }

  /** Closes, and counts the place as free only when the socket is closed. */
  async #retire(member: Member): Promise<void> {
    this.#closing++;
    await closeClient(member);
    this.#closing--;
    this.#taken--;
    this.#members.delete(member);
    this.#serve();
  }
}

/** Cancels what runs, waits a moment for the server to say so (its backend counts until then), and closes. */
async function interrupt(member: Member): Promise<void> {
  member.isBroken = true;
  const drained = drain(member.client, CLOSE_TIMEOUT_MS);
  await cancelStatement(member.client);
  await drained;
  await closeClient(member);
}

/** Never rejects. */
async function closeClient({ client, ended }: Member): Promise<void> {
  const timer = setTimeout(() => destroySocket(client), CLOSE_TIMEOUT_MS);
  // Its own promise would never settle for a client that broke before; `ended` does.
  client.end().catch(() => destroySocket(client));
  await ended;
  clearTimeout(timer);
}
