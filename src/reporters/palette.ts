import type { Writable } from 'node:stream';

export interface Palette {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/** Six of the terminal's own colours, so that its theme decides how they look; without colour, the text itself. */
export function createPalette(isColorful: boolean): Palette {
  const paint = (on: number, off: number) => (text: string) => (isColorful && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text);
  return { bold: paint(1, 22), dim: paint(2, 22), red: paint(31, 39), green: paint(32, 39), yellow: paint(33, 39), cyan: paint(36, 39) };
}

/**
 * For results: whether there is a terminal has been decided by stderr, and stdout may well be a pipe all the same.
 * Where there is no terminal at all, colour was asked for.
 */
export function createResultPalette({ stdout, output, isColorful }: { stdout: Writable; output: string; isColorful: boolean }): Palette {
  return createPalette(isColorful && (output !== 'tty' || isTerminal(stdout)));
}

export function isTerminal(stream: Writable): boolean {
  return 'isTTY' in stream && stream.isTTY === true;
}
