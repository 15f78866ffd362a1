import { quoteName } from './quote.js';

/**
 * A `postgres://` URL in its parts. Taken apart as text: what `new URL` refuses or rewrites (an empty host with a user,
 * a percent-encoded socket directory) stays as the user wrote it.
 */
interface ParsedUrl {
  readonly scheme: string;
  readonly credentials: string;
  readonly host: string;
  readonly database: string;
  readonly query: readonly string[];
}

const URL_PARTS = /^(postgres(?:ql)?:\/\/)(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

/** Null where it isn't a PostgreSQL URL. */
export function parseClusterUrl(url: string): ParsedUrl | null {
  const parts = URL_PARTS.exec(url);
  if (parts === null) return null;
  const [, scheme = '', credentials = '', host = '', database = '', query = ''] = parts;
  if (!isDecodable(url) || Number(/:(\d+)$/.exec(host)?.[1] ?? 0) > 65_535) return null;
  return { scheme, credentials, host, database, query: query === '' ? [] : query.split('&') };
}

/** Without the password and without options, which may hold one. */
export function describeClusterUrl(url: string): string {
  const parts = parseClusterUrl(url);
  if (parts === null) return 'an address that is not a postgres:// URL';
  const user = parts.credentials.split(':')[0] ?? '';
  const socket = parts.query.find((option) => option.startsWith('host='));
  return [
    parts.scheme,
    user === '' ? '' : `${user}@`,
    parts.host,
    parts.database === '' ? '' : `/${parts.database}`,
    socket === undefined ? '' : `?${decode(socket)}`,
  ].join('');
}

/** The same server, another database. */
export function withDatabase(url: string, database: string): string {
  return formatUrl({ ...parse(url), database: encodeURIComponent(database) });
}

/** The same server and database, for another login. */
export function withLogin(url: string, { name, password }: { readonly name: string; readonly password: string }): string {
  const parts = parse(url);
  const query = parts.query.filter((option) => !/^(user|password)=/.test(option));
  return formatUrl({ ...parts, query, credentials: `${encodeURIComponent(name)}:${encodeURIComponent(password)}` });
}

/** The same database, with a `search_path` of its own on top of the options that the URL has. */
export function withSearchPath(url: string, schemas: readonly string[]): string {
  const parts = parse(url);
  const options = parts.query.find((option) => option.startsWith('options='));
  const given = options === undefined ? '' : `${decode(options.slice('options='.length))} `;
  const path = `${given}-c search_path=${schemas.map(quoteWhereNeeded).join(',')}`;
  const rest = parts.query.filter((option) => option !== options);
  // Not URLSearchParams: it writes a space as +, which libpq takes literally.
  return formatUrl({ ...parts, query: [...rest, `options=${encodeURIComponent(path)}`] });
}

function quoteWhereNeeded(name: string, position: number): string {
  return position > 0 && /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoteName(name);
}

function formatUrl({ scheme, credentials, host, database, query }: ParsedUrl): string {
  const search = query.length === 0 ? '' : `?${query.join('&')}`;
  return `${scheme}${credentials === '' ? '' : `${credentials}@`}${host}/${database}${search}`;
}

function parse(url: string): ParsedUrl {
  const parts = parseClusterUrl(url);
  if (parts === null) throw new TypeError('not a postgres:// URL');
  return parts;
}

function isDecodable(text: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** The database that a URL names. */
export function databaseOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}

/** For a person's shell. */
export function psqlCommand(url: string): string {
  return `psql '${url.replaceAll("'", '%27')}'`;
}
