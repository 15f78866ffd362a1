import type { Client, Connection } from 'pg';

export interface MessageHandlers {
  /** `index`: how many statements of the message had completed before the one that yields this row. Values as text. */
  readonly onRow?: (values: readonly (string | null)[], index: number) => void;
  /** The command tag of each statement that completes: `BEGIN`, `CREATE TABLE`, `INSERT 0 1`… */
  readonly onTag?: (tag: string) => void;
}

/**
 * Sends one simple-query message with any number of statements and transactions, and tells which of them completed.
 * A protocol object of our own, as pg-cursor is one: pg's Query would keep every row and forget the tags on an error.
 * Rejects with the server's or the socket's error, after the handlers were told what came before it.
 */
export function sendMessage(client: Client, text: string, handlers: MessageHandlers = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(
      new Message(text, handlers, (error) => {
        if (error === null) resolve();
        else reject(error);
      }),
    );
  });
}

/** The rows of a message of ours, values as text. */
export async function readRows(client: Client, text: string): Promise<(readonly (string | null)[])[]> {
  const rows: (readonly (string | null)[])[] = [];
  await sendMessage(client, text, { onRow: (values) => rows.push(values) });
  return rows;
}

class Message {
  readonly #text: string;
  readonly #handlers: MessageHandlers;
  readonly #settle: (error: unknown) => void;
  #completed = 0;
  #thrown: unknown = null;

  constructor(text: string, handlers: MessageHandlers, settle: (error: unknown) => void) {
    this.#text = text;
    this.#handlers = handlers;
    this.#settle = settle;
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
  }

  handleRowDescription(): void {}

  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void {
    this.#guard(() => this.#handlers.onRow?.(message.fields, this.#completed));
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#completed++;
    this.#guard(() => this.#handlers.onTag?.(message.text));
  }

  handleEmptyQuery(): void {}

  handlePortalSuspended(): void {}

  handleCopyInResponse(connection: { sendCopyFail(reason: string): void }): void {
    connection.sendCopyFail('COPY FROM STDIN has no data here');
  }

  handleCopyData(): void {}

  handleError(error: unknown): void {
    this.#settle(error);
  }

  handleReadyForQuery(): void {
    this.#settle(this.#thrown);
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
