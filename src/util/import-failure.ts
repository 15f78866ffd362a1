/** What Node and jiti throw while they import a module of the user's: in one clause, with a place. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export type ImportFailure =
  | { readonly type: 'missing'; readonly module: string; readonly importer?: string }
  | { readonly type: 'syntax'; readonly file?: string; readonly line?: number; readonly column?: number; readonly reason: string }
  | {
      readonly type: 'thrown';
      /** A clause that the reason follows. @default 'it threw' */
      readonly action?: string;
      readonly line?: number;
      readonly reason: string;
    };

/** Never rejects for what the module does. */
export async function examineImportFailure(file: string, error: unknown): Promise<ImportFailure> {
  const message = error instanceof Error ? error.message : '';
  const missing = findMissingModule(message, error);
  if (missing !== null) return { type: 'missing', ...missing };
  const parsed = findParseError(message) ?? (error instanceof SyntaxError ? await locateSyntaxError(file, error) : null);
  if (parsed !== null) return { type: 'syntax', ...parsed };
  return { type: 'thrown', ...examineThrown(file, error) };
}

/** What a module's own code threw, with the line of the file where it did. */
export function examineThrown(file: string, thrown: unknown): { readonly reason: string; readonly line?: number } {
  return { reason: describeThrown(thrown), ...findFrame(file, thrown) };
}

/** `TypeError: x is not a function`, `'a string'`, `undefined`: whatever was thrown, on one line. */
export function describeThrown(thrown: unknown): string {
  if (thrown instanceof Error || (typeof thrown === 'object' && thrown !== null && typeof (thrown as Error).message === 'string')) {
    const { name, message } = thrown as Error;
    const text = message === '' ? 'an error without a message' : message.replace(/\s*\n\s*/g, ' ');
    return name === undefined || name === 'Error' || name === 'TenancyError' ? text : `${name}: ${text}`;
  }
  if (typeof thrown === 'string') return thrown.replace(/\s*\n\s*/g, ' ');
  return `${thrown === null || typeof thrown !== 'object' ? String(thrown) : 'an object that is no Error'} (not an Error)`;
}

/** Without the column, which jiti moves. */
function findFrame(file: string, thrown: unknown): { line?: number } {
  const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
  for (const [, place = '', line] of stack.matchAll(/(?:\(|at (?:async )?)((?:file:\/\/)?\/[^()\n]*?):(\d+):\d+\)?$/gm)) {
    if (toPath(place) === file) return { line: Number(line) };
  }
  return {};
}

/** Node: `Cannot find package 'x' imported from /file`; jiti: `Cannot find module 'x'\nRequire stack:\n- /file`. */
function findMissingModule(message: string, error: unknown): { module: string; importer?: string } | null {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return null;
  const [, module, importer] = /Cannot find (?:module|package) ['"]([^'"]+)['"](?: imported from ['"]?([^\n'"]+))?/.exec(message) ?? [];
  if (module === undefined) return null;
  const from = importer ?? /^- (.+)$/m.exec(message)?.[1];
  return { module: toPath(module), ...(from === undefined ? {} : { importer: toPath(from) }) };
}

/** jiti: `ParseError: Unexpected token, expected ","  \n /path/to/file.ts:3:2`, the column counted from 0. */
function findParseError(message: string): { file?: string; line: number; column: number; reason: string } | null {
  const [, reason, file, line, column] = /^ParseError: ([^\n]*?)\s*\n\s*(.+):(\d+):(\d+)$/.exec(message) ?? [];
  if (reason === undefined || file === undefined) return null;
  return { file: toPath(file), line: Number(line), column: Number(column) + 1, reason };
}

/** Node does not say where an ES module's syntax error is; jiti's parser does, as long as it is in the config itself. */
async function locateSyntaxError(
  file: string,
  error: SyntaxError,
): Promise<{ file?: string; line?: number; column?: number; reason: string }> {
  const message = error.message.replace(/\s*\n\s*/g, ' ');
  const [, place, line] = /^((?:file:\/\/)?\/.*):(\d+)\n/.exec(error.stack ?? '') ?? [];
  if (place !== undefined) return { file: toPath(place), line: Number(line), reason: message };
  const { createJiti } = await import('jiti');
  const source = await readFile(file, 'utf8');
  const code = createJiti(file, { fsCache: false }).transform({ source, filename: file, async: true });
  const [, report] = /^exports\.__JITI_ERROR__ = (\{.*\})/.exec(code) ?? [];
  if (report === undefined) return { reason: `${message} (in a file that it imports)` };
  const found = JSON.parse(report) as { readonly line: number; readonly column: number };
  return { line: found.line, column: found.column + 1, reason: message };
}

function toPath(place: string): string {
  return place.startsWith('file:') ? fileURLToPath(place) : place;
}
