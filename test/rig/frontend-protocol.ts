/** What a client sends in PostgreSQL's protocol 3: https://www.postgresql.org/docs/current/protocol-message-formats.html */
export type FrontendMessage =
  | { readonly type: 'startup' | 'ssl' | 'cancel'; readonly bytes: Buffer }
  | { readonly type: 'message'; readonly tag: string; readonly bytes: Buffer };

const codes: Readonly<Record<number, 'ssl' | 'cancel'>> = { 80877103: 'ssl', 80877104: 'ssl', 80877102: 'cancel' };

/** Cuts the bytes of one direction into whole messages. */
export class MessageSplitter {
  private rest: Buffer = Buffer.alloc(0);
  private hasStarted: boolean;

  /** @param isFrontend the client's side, which begins with messages that carry no tag */
  constructor(isFrontend: boolean) {
    this.hasStarted = !isFrontend;
  }

  push(chunk: Buffer): FrontendMessage[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const messages: FrontendMessage[] = [];
    for (let message = this.take(); message !== undefined; message = this.take()) messages.push(message);
    return messages;
  }

  private take(): FrontendMessage | undefined {
    const tagLength = this.hasStarted ? 1 : 0;
    if (this.rest.length < tagLength + 4) return undefined;
    const length = tagLength + this.rest.readInt32BE(tagLength);
    if (this.rest.length < length || (!this.hasStarted && length < 8)) return undefined;
    const bytes = this.rest.subarray(0, length);
    this.rest = this.rest.subarray(length);
    if (this.hasStarted) return { type: 'message', tag: String.fromCharCode(bytes[0] ?? 0), bytes };
    const special = codes[bytes.readInt32BE(4)];
    this.hasStarted = special === undefined;
    return { type: special ?? 'startup', bytes };
  }
}

/** The SQL of a Query or Parse message, empty for others. */
export function sqlOf({ tag, bytes }: { readonly tag: string; readonly bytes: Buffer }): string {
  const body = bytes.subarray(5);
  if (tag === 'Q') return body.toString('utf8', 0, body.indexOf(0));
  if (tag !== 'P') return '';
  const start = body.indexOf(0) + 1;
  return body.toString('utf8', start, body.indexOf(0, start));
}
