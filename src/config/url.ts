import { redactUrl } from '../util/redact.js';

const EXPECTED = 'a URL such as postgres://…, mysql://…, mongodb://… or embedded:DIR';

const ENCODED = 'in a password, @ is written %40, / %2F, # %23, ? %3F, : %3A and % %25';

/** What is wrong with a server's URL, in words that follow its path in the config; null where nothing is. Shows no password. */
export function explainUrl(url: unknown): string | null {
  if (typeof url !== 'string') return `expected ${EXPECTED}, got ${describeType(url)}`;
  if (url === '') return `expected ${EXPECTED}, got an empty text`;
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):([^]*)$/i.exec(url) ?? [];
  switch (scheme?.toLowerCase()) {
    case 'embedded':
      return explainEmbedded(rest);
    case 'postgres':
    case 'postgresql':
    case 'mysql':
    case 'mariadb':
      return explainServer(url, rest);
    case 'mongodb':
    case 'mongodb+srv':
      // Several hosts, separated by commas, are no URL to the parser; the first of them is.
      return explainServer(url.replace(/^([a-z+]+:\/\/(?:[^@/]*@)?[^,/]*),[^/]*/i, '$1'), rest);
    default:
      return `expected ${EXPECTED}, got ${show(url)}`;
  }
}

function explainEmbedded(directory: string): string | null {
  if (directory.trim() === '') return 'expected a directory after embedded:, such as embedded:.tenancy/postgres';
  if (directory.startsWith('//')) return `expected embedded:DIR without //, got ${show(`embedded:${directory}`)}`;
  if (directory.startsWith('~')) return 'a ~ is not expanded here: write a path from the config file, or an absolute one';
  return null;
}

function explainServer(url: string, rest: string): string | null {
  if (!rest.startsWith('//')) return `expected ${EXPECTED}, got ${show(url)}`;
  return URL.canParse(url) && !isCutShort(new URL(url)) ? null : `${show(url)} is not a valid URL; ${ENCODED}`;
}

/** A raw `@`, `/` or `#` in a password ends it too early: what is behind would be taken for the host and the database, and be shown as these. */
function isCutShort({ pathname, hash }: URL): boolean {
  return pathname.includes('@') || hash !== '';
}

/** In quotes, without a password, and not all of a long text. */
function show(url: string): string {
  const redacted = redactUrl(url);
  const safe = redacted.includes('***') ? redacted : redacted.replace(/:[^@]*@/, ':***@');
  return `'${safe.length > 80 ? `${safe.slice(0, 77)}…` : safe}'`;
}

function describeType(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'an array' : `a${typeof value === 'object' ? 'n' : ''} ${typeof value}`;
}
