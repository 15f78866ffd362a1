import { Blocked } from './collection.js';
import { CommandError } from './errors.js';
import type { Session } from './sessions.js';
import type { Connection, ServerState } from './state.js';
import type { Transaction } from './transaction.js';
import { type Document, isNumber, numberOr } from './values.js';

/** One command that is being carried out. Between two `wait`s nothing else happens on the server. */
export class Operation {
  readonly id: number;
  readonly server: ServerState;
  readonly connection: Connection;
  readonly name: string;
  readonly db: string;
  readonly command: Document;
  readonly startedAt: number = Date.now();
  /** The moment of the server's clock that all of the command sees. */
  readonly now: Date;
  session: Session | null = null;
  transaction: Transaction | null = null;
  /** Of a retryable write: what was done of it before. */
  done: Map<number, Document> | null = null;
  #killed: CommandError | null = null;
  #wake: () => void = () => undefined;

  constructor(server: ServerState, connection: Connection, command: Document) {
    server.lastOperation += 1;
    this.id = server.lastOperation;
    this.server = server;
    this.connection = connection;
    this.command = command;
    this.name = Object.keys(command)[0] ?? '';
    this.db = String(command['$db']);
    this.now = server.now();
    if (this.maxTimeMs !== null && server.failPoints.isTimeOutForced()) this.kill(new CommandError(50, 'operation exceeded time limit'));
  }

  get maxTimeMs(): number | null {
    const value = this.command['maxTimeMS'];
    return isNumber(value) && numberOr(value, 0) > 0 ? numberOr(value, 0) : null;
  }

  kill(error: CommandError): void {
    this.#killed ??= error;
    this.#wake();
  }

  check(): void {
    if (this.#killed !== null) throw this.#killed;
  }

  /** Waits for what is given, or for that many milliseconds. @throws CommandError MaxTimeMSExpired, Interrupted, ClientDisconnect */
  async wait(until: Promise<unknown> | number): Promise<void> {
    this.check();
    const left = this.maxTimeMs === null ? null : this.startedAt + this.maxTimeMs - Date.now();
    let timer: NodeJS.Timeout | undefined;
    let limit: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (typeof until === 'number') timer = setTimeout(resolve, until);
      else
        until.then(
          () => resolve(),
          () => resolve(),
        );
      if (left !== null) limit = setTimeout(() => this.kill(new CommandError(50, 'operation exceeded time limit')), Math.max(0, left));
    });
    clearTimeout(timer);
    clearTimeout(limit);
    this.check();
  }

  /** Tries until no open transaction is in the way. */
  async unblocked<T>(attempt: () => T): Promise<T> {
    for (;;) {
      try {
        return attempt();
      } catch (error) {
        if (!(error instanceof Blocked)) throw error;
        await this.wait(error.by.ended);
      }
    }
  }
}
