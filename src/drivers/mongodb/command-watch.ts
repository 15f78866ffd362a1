import { AsyncLocalStorage } from 'node:async_hooks';
import type { CommandStartedEvent, Document, MongoClient } from 'mongodb';

/** Ends what runs under these sessions (`lsid`), wherever that is. */
export type KillSessions = (sessions: readonly Document[]) => Promise<void>;

interface Running {
  readonly scope: WatchScope;
  readonly session: Document;
  readonly timer: NodeJS.Timeout | null;
}

const WRITES: ReadonlySet<string> = new Set(['insert', 'update', 'delete', 'findAndModify', 'bulkWrite']);

/**
 * Knows which commands run on behalf of which loan, whatever session they were sent under: a migration's own `collection.find()` has an
 * implicit session that nobody else sees. Told apart by the asynchronous context that they were sent from.
 */
export class CommandWatch {
  readonly #context = new AsyncLocalStorage<WatchScope>();
  readonly #running = new Map<number, Running>();
  readonly #kill: KillSessions;

  /** @param client with `monitorCommands` */
  constructor(client: MongoClient, kill: KillSessions) {
    this.#kill = kill;
    client.on('commandStarted', (event) => this.#start(event));
    client.on('commandSucceeded', ({ requestId }) => this.#end(requestId));
    client.on('commandFailed', ({ requestId, failure }) => {
      const running = this.#running.get(requestId);
      // Its answer won't come any more; whether it is still running is not known.
      if (running !== undefined && failure.name.startsWith('MongoNetwork')) running.scope.lost.push(running.session);
      this.#end(requestId);
    });
  }

  open(options: { readonly limitMs: number | null }): WatchScope {
    return new WatchScope(options.limitMs, this.#kill, this.#context);
  }

  #start({ requestId, command, commandName }: CommandStartedEvent): void {
    const scope = this.#context.getStore();
    const session = command['lsid'] as Document | undefined;
    if (scope === undefined || session === undefined) return;
    scope.notice(commandName, command, session);
    const timer = scope.limitMs === null ? null : setTimeout(() => scope.expire(session, commandName), scope.limitMs);
    timer?.unref();
    this.#running.set(requestId, { scope, session, timer });
    scope.running.set(requestId, session);
  }

  #end(requestId: number): void {
    const running = this.#running.get(requestId);
    if (running === undefined) return;
    if (running.timer !== null) clearTimeout(running.timer);
    this.#running.delete(requestId);
    running.scope.running.delete(requestId);
  }
}

const KILL_AGAIN_MS = 100;

/** The commands of one loan. */
export class WatchScope {
  readonly running = new Map<number, Document>();
  /** Sessions of commands whose connection was lost; the client lends none of them again. */
  readonly lost: Document[] = [];
  /** Sessions with a transaction that nobody has ended yet, by their id. */
  readonly #transactions = new Map<string, Document>();
  /** Writes sent outside of a transaction, by their command. */
  readonly loneWrites: string[] = [];
  readonly limitMs: number | null;
  /** The command that took longer than the limit, if one did. */
  expired: string | null = null;
  readonly #kill: KillSessions;
  readonly #context: AsyncLocalStorage<WatchScope>;
  #killing: NodeJS.Timeout | null = null;

  constructor(limitMs: number | null, kill: KillSessions, context: AsyncLocalStorage<WatchScope>) {
    this.limitMs = limitMs;
    this.#kill = kill;
    this.#context = context;
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return this.#context.run(this, work);
  }

  /** Ends what is running, and what is still sent until the scope is closed. */
  startKilling(): void {
    if (this.#killing !== null) return;
    const kill = (): void => {
      if (this.running.size > 0) void this.#kill([...this.running.values()]).catch(() => undefined);
    };
    this.#killing = setInterval(kill, KILL_AGAIN_MS);
    kill();
  }

  /**
   * Ends what is still running, or may be, and the transactions left open: they would hold their locks for a minute.
   * Where that fails the server can't be reached.
   */
  async endAll(): Promise<void> {
    const sessions = [...this.running.values(), ...this.lost.splice(0), ...this.#transactions.values()];
    if (sessions.length > 0) await this.#kill(sessions).catch(() => undefined);
  }

  notice(commandName: string, command: Document, session: Document): void {
    // The client's own flag: within a transaction each command has it.
    const isInTransaction = command['autocommit'] === false;
    if (WRITES.has(commandName) && !isInTransaction) this.loneWrites.push(commandName);
    if (!isInTransaction) return;
    const key = String(session['id']);
    if (commandName === 'commitTransaction' || commandName === 'abortTransaction') this.#transactions.delete(key);
    else this.#transactions.set(key, session);
  }

  expire(session: Document, commandName: string): void {
    this.expired ??= commandName;
    void this.#kill([session]).catch(() => undefined);
  }

  close(): void {
    if (this.#killing !== null) clearInterval(this.#killing);
    this.#killing = null;
  }
}
