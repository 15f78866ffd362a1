import { toJsonLine } from '../json-line.js';
import { createLineWriter } from '../line-writer.js';
import { createResultPalette, isTerminal, type Palette } from '../palette.js';
import type { ReporterOptions } from '../reporter.js';
import { truncate } from '../terminal-text.js';

export type DocumentOptions = Pick<ReporterOptions, 'output' | 'stdout' | 'isColorful' | 'isQuiet' | 'columns'>;

/** Writes one result to stdout: as one JSON document, or as lines for people. */
export async function writeDocument<Document>(
  document: Document,
  print: (document: Document, palette: Palette) => readonly string[],
  options: DocumentOptions,
): Promise<void> {
  const writer = createLineWriter(options.stdout);
  if (options.output === 'json') writer.write(`${toJsonLine(document)}\n`);
  else writer.write(toText(print(document, createResultPalette(options)), options));
  await writer.finish();
}

/** Tables are cut to a terminal's width, so that a row stays a row; what is piped is whole. */
export function toText(
  lines: readonly string[],
  { output, stdout, columns }: Pick<DocumentOptions, 'output' | 'stdout' | 'columns'>,
): string {
  const width = output === 'tty' && isTerminal(stdout) ? columns() || 80 : Number.POSITIVE_INFINITY;
  return lines.map((line) => `${truncate(line, width)}\n`).join('');
}
