import { Writable } from 'node:stream';
import { measureWidth } from '../../src/reporters/terminal-text.js';

const TOKEN = /\u001b\[\??[\d;]*[A-Za-z]|[\u0000-\u001f\u007f-\u009f]|[^\u0000-\u001f\u007f-\u009f]+/g;
const COLOUR = /^\u001b\[\d+m$/;

/** As much of a terminal as our output uses; whatever else it is sent is an error. It doesn't wrap: it counts what is too wide. */
export class TerminalScreen extends Writable {
  readonly columns: number;
  readonly rows: number;
  /** Everything, as it was sent. */
  sent = '';
  writes = 0;
  /** Lines that were wider than the terminal. */
  tooWide = 0;
  private lines: string[] = [''];
  private row = 0;
  private isAtStart = true;

  constructor(columns: number, rows: number) {
    super({ decodeStrings: false });
    this.columns = columns;
    this.rows = rows;
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.sent += chunk;
    this.writes += 1;
    for (const [token] of chunk.matchAll(TOKEN)) this.act(token);
    done();
  }

  /** All that was left on it, with what has scrolled away. */
  get text(): string {
    return this.lines.map((line) => line.trimEnd()).join('\n');
  }

  get height(): number {
    return this.lines.length;
  }

  private act(token: string): void {
    if (COLOUR.test(token) || token === '\u001b[K') return;
    if (token >= ' ' && token[0] !== '\u007f' && !(token >= '\u0080' && token < '\u00a0') && token[0] !== '\u001b')
      return this.print(token);
    this.isAtStart = true;
    if (token === '\r') return;
    if (token === '\n') this.row += 1;
    else if (token === '\u001b[J') this.lines.length = this.row;
    else if (/A$/.test(token)) this.row = Math.max(0, this.lines.length - this.rows, this.row - Number(token.slice(2, -1)));
    else throw new Error(`a terminal was sent ${JSON.stringify(token)}`);
    while (this.lines.length <= this.row) this.lines.push('');
  }

  /** What starts a line replaces it: we always clear to its end. */
  private print(text: string): void {
    const line = (this.isAtStart ? '' : (this.lines[this.row] ?? '')) + text;
    this.isAtStart = false;
    this.lines[this.row] = line;
    if (measureWidth(line) > this.columns) this.tooWide += 1;
  }
}
