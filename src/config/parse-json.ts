/** A place in a text where it stops being what it should be. */
export interface TextError {
  readonly line: number;
  readonly column: number;
  readonly reason: string;
}

export type Parsed = { readonly value: unknown } | { readonly error: TextError };

const SPACE = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)/y;

/** JSON.parse, but its mistakes have a line and a column on every Node, and a key that is given twice is one. */
export function parseJson(raw: string): Parsed {
  const text = raw.replace(/^\uFEFF/, '');
  const mistake = findMistake(text);
  if (mistake === null) return { value: JSON.parse(text) };
  const before = text.slice(0, mistake.at).split('\n');
  return { error: { line: before.length, column: (before.at(-1) ?? '').length + 1, reason: mistake.reason } };
}

/** Deep nesting is refused before it can exhaust the stack. */
const DEEPEST = 200;

function findMistake(text: string): { readonly at: number; readonly reason: string } | null {
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const next = (): string => {
    take(SPACE);
    return text[at] ?? '';
  };
  const stop = (reason: string): never => {
    throw new Mistake(at, reason);
  };

  const value = (depth: number): void => {
    const start = next();
    if (depth > DEEPEST) stop('it is nested too deeply');
    if (start === '{') members(depth);
    else if (start === '[') list(']', () => value(depth + 1));
    else if (start === '"') take(STRING) ?? stop('a string that does not end, or with a line break or a wrong escape in it');
    else take(SCALAR) ?? stop(describeUnexpected(text, at, 'a value'));
  };
  const members = (depth: number): void => {
    const keys = new Set<string>();
    list('}', () => {
      const keyAt = at;
      const key = take(STRING) ?? stop(describeUnexpected(text, at, 'a key in double quotes'));
      if (keys.has(key)) {
        at = keyAt;
        stop(`the key ${key} is given twice`);
      }
      keys.add(key);
      if (next() !== ':') stop(describeUnexpected(text, at, 'a colon'));
      at += 1;
      value(depth + 1);
    });
  };
  const list = (end: ']' | '}', item: () => void): void => {
    at += 1;
    if (next() === end) {
      at += 1;
      return;
    }
    for (;;) {
      item();
      const separator = next();
      if (separator !== ',' && separator !== end) stop(describeUnexpected(text, at, `a comma or ${end}`));
      const separatorAt = at;
      at += 1;
      if (separator === end) return;
      if (next() === end) {
        at = separatorAt;
        stop(`a trailing comma before ${end}`);
      }
    }
  };

  try {
    value(0);
    if (next() !== '') stop(describeUnexpected(text, at, 'the end of the file'));
    return null;
  } catch (mistake) {
    if (mistake instanceof Mistake) return mistake;
    throw mistake;
  }
}

class Mistake extends Error {
  readonly at: number;
  readonly reason: string;

  constructor(at: number, reason: string) {
    super(reason);
    this.at = at;
    this.reason = reason;
  }
}

function describeUnexpected(text: string, at: number, expected: string): string {
  const rest = text.slice(at);
  if (rest === '') return `expected ${expected}, but the file ends`;
  if (/^\/[/*]/.test(rest)) return 'a comment, which JSON does not have (tenancy.config.yaml and tenancy.config.ts do)';
  if (rest.startsWith("'")) return `expected ${expected}, got a single quote: JSON wants double quotes`;
  return `expected ${expected}, got ${/^\w+/.exec(rest)?.[0].slice(0, 20) ?? JSON.stringify([...rest][0])}`;
}
