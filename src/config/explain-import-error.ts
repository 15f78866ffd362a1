/** Puts what Node and jiti throw while importing a config into one sentence with a place. */
import { fileURLToPath } from 'node:url';
import { isTenancyError, TenancyError } from '../errors.js';

const LINK_CODES = new Set([
  'ERR_MODULE_NOT_FOUND',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_IMPORT_ATTRIBUTE_MISSING',
  'ERR_AMBIGUOUS_MODULE_SYNTAX',
]);

/** True for what stops a module before its code runs, and for the CommonJS names that only jiti has in a TypeScript module. */
export function isLinkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof SyntaxError || LINK_CODES.has((error as NodeJS.ErrnoException).code ?? '')) return true;
  return /^(__dirname|__filename|require|module|exports) is not defined/.test(error.message);
}

/** Always throws. */
export async function explainImportError(file: string, error: unknown): Promise<never> {
  if (isTenancyError(error)) throw error;
  const message = error instanceof Error ? error.message : '';
  const missing = findMissingModule(message, error);
  if (missing !== null) throw new TenancyError('TENANCY_CONFIG_IMPORT_FAILED', { file, ...missing }, { cause: error });
  const parsed = findParseError(message) ?? (error instanceof SyntaxError ? await locateSyntaxError(file, error) : null);
  if (parsed !== null) throw new TenancyError('TENANCY_CONFIG_SYNTAX_REJECTED', { file, ...parsed }, { cause: error });
  throw explainThrown(file, 'the config threw', error);
}

/** An error for what a config's own code threw, with the line of the config where it did. */
export function explainThrown(file: string, action: string, thrown: unknown): TenancyError {
  if (isTenancyError(thrown)) return thrown;
  return new TenancyError(
    'TENANCY_CONFIG_LOAD_FAILED',
    { file, action, reason: describeThrown(thrown), ...findFrame(file, thrown) },
    { cause: thrown },
  );
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
  const [{ createJiti }, { readFile }] = await Promise.all([import('jiti'), import('node:fs/promises')]);
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
