import type { Client, Connection } from 'pg';

/** What the server had answered when a message ended, well or not. */
export interface MessageTrace {
  /** Command tags of the statements that completed, in order: `BEGIN`, `CREATE TABLE`, `INSERT 0 1`… */
  readonly tags: readonly string[];
}

export interface MessageHandlers {
  /** `index`: how many statements of the message had completed before the one that yields this row. Values as text. */
  readonly onRow?: (values: readonly (string | null)[], index: number) => void;
  readonly onTag?: (tag: string, index: number) => void;
}

export class MessageError extends Error {
  override readonly name = 'MessageError';
  readonly tags: readonly string[];

  constructor(cause: unknown, tags: readonly string[]) {
    super('a message failed', { cause });
    this.tags = tags;
  }
}

/**
 * Sends one simple-query message with any number of statements and transactions, and tells which of them completed.
 * A protocol object of our own, as pg-cursor is one: pg's Query would keep every row and forget the tags on an error.
 * @throws MessageError with the server's or the socket's error as its cause.
 */
export function sendMessage(client: Client, text: string, handlers: MessageHandlers = {}): Promise<MessageTrace> {
  return new Promise((resolve, reject) => {
    client.query(new Message(text, handlers, (error, tags) => {
      if (error === null) resolve({ tags });
      else reject(new MessageError(error, tags));
    }));
  });
}

class Message {
  readonly #text: string;
  readonly #handlers: MessageHandlers;
  readonly #settle: (error: unknown, tags: readonly string[]) => void;
  readonly #tags: string[] = [];
  #thrown: unknown = null;

  constructor(text: string, handlers: MessageHandlers, settle: (error: unknown, tags: readonly string[]) => void) {
    this.#text = text;
    this.#handlers = handlers;
    this.#settle = settle;
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
  }

  handleRowDescription(): void {}

  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void {
    this.#guard(() => this.#handlers.onRow?.(message.fields, this.#tags.length));
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#tags.push(message.text);
    this.#guard(() => this.#handlers.onTag?.(message.text, this.#tags.length - 1));
  }

  handleEmptyQuery(): void {}

  handlePortalSuspended(): void {}

  handleCopyInResponse(connection: { sendCopyFail(reason: string): void }): void {
    connection.sendCopyFail('COPY FROM STDIN has no data here');
  }

  handleCopyData(): void {}

  handleError(error: unknown): void {
    this.#settle(error, this.#tags);
  }

  handleReadyForQuery(): void {
    this.#settle(this.#thrown, this.#tags);
  }

  /** A handler that throws must not tear down the connection's parser. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#thrown ??= error;
    }
  }
}
