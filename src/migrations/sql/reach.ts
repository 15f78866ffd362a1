import { lexSql, type SqlToken } from './lex.js';
import { isRoutine } from './public-names.js';
import type { SqlStatement } from './script.js';
import { toWord } from './words.js';

/**
 * Something that is not the tenant's own. `neighbours`: what schema tenants share a database with; `database`: a database as a whole;
 * `history`: the schema of a database tenant's history; `extension`: one that is created where it can't be led to the shared schema.
 */
export interface Reach {
  readonly start: number;
  readonly what: string;
  readonly beyond: 'neighbours' | 'database' | 'history' | 'extension';
}

const STATEMENTS: readonly (readonly [first: string, second: string, beyond: Reach['beyond']])[] = [
  ['DROP', 'SCHEMA', 'neighbours'],
  ['ALTER', 'SCHEMA', 'neighbours'],
  ['DROP', 'OWNED', 'neighbours'],
  ['REASSIGN', 'OWNED', 'neighbours'],
  ['CREATE', 'DATABASE', 'neighbours'],
  ['DROP', 'DATABASE', 'database'],
  ['ALTER', 'DATABASE', 'database'],
  ['CREATE', 'EXTENSION', 'extension'],
];

const IN_STRING = /(?:^|;)\s*(DROP|ALTER|REASSIGN|CREATE)\s+(SCHEMA|OWNED|DATABASE|EXTENSION)\s/i;

/** An application may well have a table `tenancy`, so `tenancy.id` alone says nothing; these are the registry's own tables. */
const REGISTRY_TABLES = new Set([
  'CLUSTERS',
  'EVENTS',
  'FENCES',
  'REGISTRY',
  'REGISTRY_MIGRATIONS',
  'RUN_TENANTS',
  'RUNS',
  'STEPS',
  'TENANTS',
]);
/** Only a relation, or another thing with a schema, can follow. */
const BEFORE_RELATION = new Set([
  'JOIN',
  'INTO',
  'UPDATE',
  'TABLE',
  'ONLY',
  'VIEW',
  'SEQUENCE',
  'REFERENCES',
  'TRUNCATE',
  'TYPE',
  'FUNCTION',
  'EXISTS',
]);

/** Looks into routines' bodies, and into strings that are handed to EXECUTE or to a function. A guess: it stops accidents, not malice. */
export function findReach(sql: string, statement: SqlStatement): Reach[] {
  const { tokens, words } = statement;
  const found: Reach[] = [];
  // On its own CREATE EXTENSION is carried out elsewhere.
  const own = readStatement(words, 0);
  if (own !== null && own.beyond !== 'extension') found.push({ start: statement.start, ...own });
  found.push(...findNames(tokens, words, 0), ...findInStrings(sql, tokens, words, 0, false));
  if (!isRoutine(words)) return found;
  for (const token of tokens) {
    if (token.type === 'dollar' || token.type === 'string') found.push(...findInBody(sql, token));
  }
  return found;
}

function readStatement(words: readonly string[], at: number): Pick<Reach, 'what' | 'beyond'> | null {
  const known = STATEMENTS.find(([first, second]) => words[at] === first && words[at + 1] === second);
  if (!known) return null;
  const [first, second, beyond] = known;
  const end = words.indexOf(';', at);
  const names = words.slice(at + 2, end < 0 ? undefined : end);
  if (second === 'SCHEMA' && names.some((word) => word === '_TENANCY' || word === '"_tenancy"'))
    return { what: `${first} SCHEMA _tenancy`, beyond: 'history' };
  return { what: `${first} ${second}`, beyond };
}

function findNames(tokens: readonly SqlToken[], words: readonly string[], base: number): Reach[] {
  return tokens.flatMap((token, index) => {
    const isName = (words[index] === 'TENANCY' || words[index] === '"tenancy"') && words[index - 1] !== '.';
    const before = words[index - 1] ?? '';
    const table = (words[index + 2] ?? '').replaceAll('"', '').toUpperCase();
    const isQualifier = words[index + 1] === '.' && (BEFORE_RELATION.has(before) || REGISTRY_TABLES.has(table));
    if (!isName || (!isQualifier && before !== 'SCHEMA')) return [];
    return [{ start: base + token.start, what: "the registry's schema tenancy", beyond: 'neighbours' as const }];
  });
}

function findInStrings(sql: string, tokens: readonly SqlToken[], words: readonly string[], base: number, isBody: boolean): Reach[] {
  return tokens.flatMap((token, index) => {
    if ((token.type !== 'string' && token.type !== 'dollar') || !isHandedOn(words, index, isBody)) return [];
    const start = base + token.start;
    const text = sql.slice(start, base + token.end);
    const match = IN_STRING.exec(text.replace(/^(?:E|U&)?'|^\$\w*\$/i, ''));
    const [, first = '', second = ''] = match ?? [];
    const reach = match === null ? null : readStatement([first.toUpperCase(), second.toUpperCase()], 0);
    return reach === null ? [] : [{ start, what: reach.what, beyond: reach.beyond }];
  });
}

/** To EXECUTE, to a function, to a variable of a body; what is stored in a table is just text. */
function isHandedOn(words: readonly string[], index: number, isBody: boolean): boolean {
  const [second = '', before = ''] = words.slice(Math.max(0, index - 2), index).slice(-2);
  if (before === 'EXECUTE') return true;
  if (before === '(') return /^\w+$/.test(second) && second !== 'VALUES' && second !== 'IN';
  return isBody && before === '=' && second === ':';
}

function findInBody(sql: string, token: SqlToken): Reach[] {
  const open = token.type === 'dollar' ? sql.indexOf('$', token.start + 1) + 1 : sql.indexOf("'", token.start) + 1;
  const close = token.end - (token.type === 'dollar' ? open - token.start : 1);
  const body = sql.slice(open, close);
  const tokens = lexSql(body).filter(({ type }) => type !== 'space' && type !== 'comment');
  const words = tokens.map(({ type, start, end }) => toWord(body.slice(start, end), type));
  const statements = tokens.flatMap(({ start }, index) => {
    const reach = words[index - 1] === '.' ? null : readStatement(words, index);
    return reach === null ? [] : [{ start: open + start, ...reach }];
  });
  return [...statements, ...findNames(tokens, words, open), ...findInStrings(sql, tokens, words, open, true)];
}
