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

/** What the requests of one connection say. */
export class StatementTexts {
  private readonly named = new Map<string, string>();

  /** The SQL of a Query, of a Parse, or of the Bind of what was parsed before; empty for others. */
  of({ tag, bytes }: { readonly tag: string; readonly bytes: Buffer }): string {
    const [first = '', second = ''] = readTexts(bytes.subarray(5));
    if (tag === 'Q') return first;
    if (tag === 'B') return this.named.get(second) ?? '';
    if (tag !== 'P') return '';
    this.named.set(first, second);
    return second;
  }
}

/** The two that a message begins with, each with a zero at its end. */
function readTexts(body: Buffer): readonly string[] {
  const end = body.indexOf(0);
  return [body.toString('utf8', 0, end), body.toString('utf8', end + 1, body.indexOf(0, end + 1))];
}
