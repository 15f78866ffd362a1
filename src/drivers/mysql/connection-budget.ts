import { type ConnectionOptions, openConnection, type ServerConnection } from './connection.js';
import { interruptConnection } from './interrupt.js';

const IDLE_TIMEOUT_MS = 30_000;

export interface BudgetOptions extends ConnectionOptions {
  readonly maxConnections: number;
}

/** A connection, for as long as it is lent. */
export interface Loan {
  readonly connection: ServerConnection;
  /** `isClean` false: it is closed instead of being lent again. Resolves when the loan no longer counts. */
  giveBack(isClean: boolean): Promise<void>;
}

interface Waiter {
  readonly grant: (connection: ServerConnection) => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * The connections to one server: never more than `maxConnections` at once, also while some of them open or close. Served in the order of
 * asking. A connection isn't bound to a database, so any idle one will do; each is reset before it is lent again.
 *
 * One more is opened for a moment when a statement has to be killed while none is idle: the server ends a statement for nobody
 * but another connection, and whoever waits for a place must not have to wait for that.
 */
export class ConnectionBudget {
  readonly #options: BudgetOptions;
  readonly #idle: ServerConnection[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #members = new Set<ServerConnection>();
  readonly #opening = new Set<Promise<void>>();
  /** Interruptions use the one connection too many one after the other. */
  #interrupting: Promise<unknown> = Promise.resolve();
  /** Opening, open and closing: what the server may count. */
  #taken = 0;
  #isClosed = false;

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** The server's numbers of all connections that are open. */
  get ids(): readonly number[] {
    return [...this.#members].map(({ id }) => id);
  }

  /**
   * @throws the server's own error where it can't be connected to; the signal's reason on abort;
   * on abort while it is lent, its statement is killed and the connection closed.
   */
  async borrow(signal?: AbortSignal): Promise<Loan> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw closedError();
    return this.#lend(await this.#wait(signal), signal);
  }

  /** Ends the statement that a lent connection is at, from another connection; the connection stays. */
  async killStatement(target: ServerConnection): Promise<void> {
    await this.#control((control) => control.send(`KILL QUERY ${target.id}`));
  }

  /** Refuses whoever waits, and closes everything, also what is still lent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.refuse(closedError());
    const idle = this.#idle.splice(0);
    const lent = [...this.#members].filter((member) => !idle.includes(member));
    await Promise.all([...lent.map((member) => this.#interrupt(member)), ...this.#opening]);
    await Promise.all(idle.map((member) => this.#retire(member)));
    await this.#interrupting;
  }

  #wait(signal: AbortSignal | undefined): Promise<ServerConnection> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        const position = this.#waiters.indexOf(waiter);
        if (position >= 0) this.#waiters.splice(position, 1);
        reject(signal?.reason);
        this.#serve();
      };
      const waiter: Waiter = {
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
      const member = this.#idle.pop();
      if (member !== undefined) {
        clearTimeout(member.idleTimer);
        head.grant(member);
      } else if (this.#taken < this.#options.maxConnections) this.#track(this.#open(head));
      else break;
      this.#waiters.shift();
    }
  }

  #track(opening: Promise<void>): void {
    this.#opening.add(opening);
    void opening.finally(() => this.#opening.delete(opening));
  }

  async #open(waiter: Waiter): Promise<void> {
    this.#taken++;
    try {
      const member = await openConnection(this.#options, (broken) => this.#drop(broken));
      this.#members.add(member);
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

  /** Told by the socket that it is dead, or by the clock that nobody wants it. One that is lent is counted until it is given back. */
  #drop(member: ServerConnection): void {
    const position = this.#idle.indexOf(member);
    if (position < 0) return;
    this.#idle.splice(position, 1);
    void this.#retire(member);
  }

  #lend(member: ServerConnection, signal: AbortSignal | undefined): Loan {
    let interrupted: Promise<void> | null = null;
    const onAbort = (): void => {
      interrupted = this.#interrupt(member);
    };
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    let isBack = false;
    return {
      connection: member,
      giveBack: async (isClean) => {
        if (isBack) return;
        isBack = true;
        signal?.removeEventListener('abort', onAbort);
        if (interrupted !== null) await interrupted;
        if (isClean && !member.isBroken && (await isReset(member))) this.#keep(member);
        else await this.#retire(member);
      },
    };
  }

  async #interrupt(member: ServerConnection): Promise<void> {
    member.isBroken = true;
    await interruptConnection(member, () => this.killStatement(member));
  }

  async #control(use: (control: ServerConnection) => Promise<unknown>): Promise<void> {
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      clearTimeout(idle.idleTimer);
      // An error is the statement's, which was over; a connection that broke tells by itself.
      await use(idle).catch(() => undefined);
      this.#keep(idle);
      return;
    }
    const turn = this.#interrupting.then(async () => {
      const control = await openConnection(this.#options, () => {});
      await use(control).catch(() => undefined);
      await control.close();
    });
    this.#interrupting = turn.catch(() => undefined);
    await this.#interrupting;
  }

  #keep(member: ServerConnection): void {
    if (member.isBroken || this.#isClosed) {
      void this.#retire(member);
      return;
    }
    this.#idle.push(member);
    this.#serve();
    if (!this.#idle.includes(member)) return;
    // A program that lives on must not sit on connections that it no longer uses.
    member.idleTimer = setTimeout(() => this.#drop(member), IDLE_TIMEOUT_MS);
    member.idleTimer.unref();
  }

  /** Closes, and counts the place as free only when the socket is closed. */
  async #retire(member: ServerConnection): Promise<void> {
    clearTimeout(member.idleTimer);
    await member.close();
    this.#taken--;
    this.#members.delete(member);
    this.#serve();
  }
}

/** What can't be cleaned is closed. */
async function isReset(member: ServerConnection): Promise<boolean> {
  try {
    await member.reset();
    return true;
  } catch {
    return false;
  }
}

function closedError(): Error {
  return new Error('the connections of this cluster have been closed');
}
