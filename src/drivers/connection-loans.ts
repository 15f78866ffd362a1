import { setMaxListeners } from 'node:events';
import { settlesWithin } from '../util/abort.js';
import { closedError, type Waiter, WaitingLine } from './waiting-line.js';

const IDLE_TIMEOUT_MS = 30_000;
/** How long a connection may take to be made fit for the next; then it is closed. */
const RESET_TIMEOUT_MS = 5_000;

/** What is to be known of a connection that is lent. */
export interface Lendable {
  /** The socket is dead, or about to be: not to be lent again. */
  isBroken: boolean;
  /** Runs while nobody uses it. */
  idleTimer?: NodeJS.Timeout;
}

/** How an engine's connections are dealt with; `K` is what one may be bound to. */
export interface ConnectionCare<C extends Lendable, K> {
  /** `onBroken`: the socket died, also while nobody uses it. `closing`: there is no use in it any more. On failure the socket is closed before this rejects. */
  open(wanted: K, onBroken: (connection: C) => void, closing: AbortSignal): Promise<C>;
  suits(connection: C, wanted: K): boolean;
  /** Makes fit for the next what was given back as clean. What can't be is closed. */
  reset(connection: C): Promise<void>;
  /** Ends the statement that it is at, and closes it. */
  interrupt(connection: C): Promise<void>;
  /** Resolves when the socket is closed. Never rejects. */
  close(connection: C): Promise<void>;
}

/** A connection, for as long as it is lent. */
export interface Loan<C> {
  readonly connection: C;
  /** `isClean` false: it is closed instead of being lent again. Resolves when the loan no longer counts. */
  giveBack(isClean: boolean): Promise<void>;
}

/**
 * The connections to one server: never more than `maxConnections` at once, also while some of them open or close. Served in the order of
 * asking. An idle connection is lent again where it suits, and closed first where another needs its place.
 *
 * Whoever holds a loan must not ask for a second one before giving it back: with all lent out both would wait for ever.
 */
export class ConnectionLoans<C extends Lendable, K> {
  readonly #maxConnections: number;
  readonly #care: ConnectionCare<C, K>;
  /** Least recently used first. */
  #idle: C[] = [];
  readonly #line = new WaitingLine<K, C>();
  readonly #members = new Set<C>();
  readonly #opening = new Set<Promise<void>>();
  readonly #closeSignal = new AbortController();
  /** Opening, open and closing: what the server may count. */
  #taken = 0;
  #closing = 0;

  constructor(maxConnections: number, care: ConnectionCare<C, K>) {
    this.#maxConnections = maxConnections;
    this.#care = care;
    setMaxListeners(0, this.#closeSignal.signal); // one for each that opens
  }

  /** All that are open. */
  get members(): readonly C[] {
    return [...this.#members];
  }

  /** What the server may count as ours: opening, open and closing. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * @throws the server's own error where it can't be connected to; the signal's reason on abort;
   * on abort while the connection is lent, its statement is ended and it is closed.
   */
  async borrow(wanted: K, signal?: AbortSignal): Promise<Loan<C>> {
    // Connected too late for one who has gone: kept for the next.
    const turn = this.#line.join(wanted, signal, (late) => this.#keep(late));
    this.#serve();
    try {
      return this.#lend(await turn, signal);
    } catch (error) {
      // Who has gone may have stood in the way of the next.
      this.#serve();
      throw error;
    }
  }

  /** Uses an idle connection for a moment, before anybody who waits. False: there is none. */
  async useIdle(use: (connection: C) => Promise<void>): Promise<boolean> {
    const connection = this.#idle.pop();
    if (connection === undefined) return false;
    clearTimeout(connection.idleTimer);
    await use(connection).finally(() => this.#keep(connection));
    return true;
  }

  /** Closes idle connections that would suit. */
  async closeIdle(wanted: K): Promise<void> {
    await this.#closeIdle((member) => this.#care.suits(member, wanted));
  }

  /** Closes all others. */
  async closeIdleBut(kept: K): Promise<void> {
    await this.#closeIdle((member) => !this.#care.suits(member, kept));
  }

  async #closeIdle(isLeaving: (member: C) => boolean): Promise<void> {
    const leaving = this.#idle.filter(isLeaving);
    this.#idle = this.#idle.filter((member) => !leaving.includes(member));
    await Promise.all(leaving.map((member) => this.#retire(member)));
  }

  /** Refuses whoever waits, and closes everything, also what is still lent. */
  async close(): Promise<void> {
    this.#line.close();
    const idle = this.#idle.splice(0);
    const lent = [...this.#members].filter((member) => !idle.includes(member));
    this.#closeSignal.abort(closedError());
    await Promise.all([
      ...idle.map((member) => this.#retire(member)),
      ...lent.map((member) => this.#care.interrupt(member)),
      ...this.#opening,
    ]);
  }

  #serve(): void {
    for (let head = this.#line.first; head !== undefined; head = this.#line.first) {
      const { wanted } = head;
      const position = this.#idle.findLastIndex((member) => this.#care.suits(member, wanted));
      const [member] = position < 0 ? [] : this.#idle.splice(position, 1);
      if (member === undefined && this.#taken >= this.#maxConnections) break;
      this.#line.callUp();
      if (member === undefined) this.#track(this.#open(head));
      else head.grant(member);
    }
    // One place is made for each that waits, and no more than that.
    while (this.#closing < this.#line.length && this.#idle.length > 0) {
      const evicted = this.#idle.shift();
      if (evicted !== undefined) void this.#retire(evicted);
    }
  }

  #track(opening: Promise<void>): void {
    this.#opening.add(opening);
    void opening.finally(() => this.#opening.delete(opening));
  }

  async #open(waiter: Waiter<K, C>): Promise<void> {
    this.#taken++;
    try {
      const member = await this.#care.open(waiter.wanted, (broken) => this.#drop(broken), this.#closeSignal.signal);
      this.#members.add(member);
      if (this.#line.isClosed) {
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
  #drop(member: C): void {
    const position = this.#idle.indexOf(member);
    if (position < 0) return;
    this.#idle.splice(position, 1);
    void this.#retire(member);
  }

  #lend(connection: C, signal: AbortSignal | undefined): Loan<C> {
    clearTimeout(connection.idleTimer);
    let interrupted: Promise<void> | null = null;
    const onAbort = (): void => {
      connection.isBroken = true;
      interrupted = this.#care.interrupt(connection);
    };
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    let isBack = false;
    return {
      connection,
      giveBack: async (isClean) => {
        if (isBack) return;
        isBack = true;
        signal?.removeEventListener('abort', onAbort);
        if (interrupted !== null) await interrupted;
        if (isClean && (await this.#isFit(connection))) this.#keep(connection);
        else await this.#retire(connection);
      },
    };
  }

  async #isFit(member: C): Promise<boolean> {
    if (member.isBroken || this.#line.isClosed) return false;
    const resetting = this.#care.reset(member).then(
      () => true,
      () => false,
    );
    // A connection that has gone silent would keep its place, and whoever gives it back, for ever.
    return (await settlesWithin(resetting, RESET_TIMEOUT_MS)) && resetting;
  }

  #keep(member: C): void {
    if (member.isBroken || this.#line.isClosed) {
      void this.#retire(member);
      return;
    }
    this.#idle.push(member);
    this.#serve();
    if (!this.#idle.includes(member)) return;
    // A program that lives on must not sit on connections that it no longer uses.
    clearTimeout(member.idleTimer);
    member.idleTimer = setTimeout(() => this.#drop(member), IDLE_TIMEOUT_MS);
    member.idleTimer.unref();
  }

  /** Closes, and counts the place as free only when the socket is closed. */
  async #retire(member: C): Promise<void> {
    this.#closing++;
    clearTimeout(member.idleTimer);
    await this.#care.close(member);
    this.#closing--;
    this.#taken--;
    this.#members.delete(member);
    this.#serve();
  }
}
