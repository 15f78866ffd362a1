/**
 * A `mongodb://` or `mongodb+srv://` URL in its parts. Taken apart as text: several hosts are no URL to `new URL`, and what it would
 * rewrite stays as the user wrote it.
 */
interface MongodbUrl {
  readonly scheme: string;
  readonly credentials: string;
  readonly hosts: string;
  /** Decoded; empty where the URL names none. */
  readonly database: string;
  readonly query: readonly string[];
}

const URL_PARTS = /^(mongodb(?:\+srv)?:\/\/)(?:([^/?#]*)@)?([^/?#@]+)(?:\/([^/?#@]*))?(?:\?([^#]*))?$/i;

const HOST = /^(?:\[[^[\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;

/** Mechanisms whose users live outside of any database: the client library takes `$external` for them whatever the URL names. */
const EXTERNAL_MECHANISMS = /^(MONGODB-X509|MONGODB-AWS|MONGODB-OIDC|GSSAPI)$/i;

/** Null where it isn't a MongoDB URL. */
export function parseMongodbUrl(url: string): MongodbUrl | null {
  const parts = URL_PARTS.exec(url);
  if (parts === null || /%(?![0-9a-f]{2})/i.test(url)) return null;
  const [, scheme = '', credentials = '', hosts = '', database = '', query = ''] = parts;
  // Also what a raw / or @ in a password makes of the rest: nobody is to be shown that as a host.
  if (!hosts.split(',').every(isHost)) return null;
  return { scheme, credentials, hosts, database: decode(database), query: query === '' ? [] : query.split('&') };
}

/** The database that a URL names; null where it names none. */
export function mongodbDatabaseOf(url: string): string | null {
  const database = parseMongodbUrl(url)?.database ?? '';
  return database === '' ? null : database;
}

/**
 * The same servers, the same login, another database. Without an `authSource` of its own a URL's user is looked up in the database
 * that it names, else in `admin` (Manual, Connection String Options), so what it was is written out before the database changes.
 *
 * For `mongodb+srv://` it is `admin` either way: there the TXT record comes before the database, and it says so where there is one
 * (Atlas). A service record without it, whose users aren't in `admin`, needs the `authSource` in its URL.
 */
export function withMongodbDatabase(url: string, database: string): string {
  const parts = parseMongodbUrl(url);
  if (parts === null) throw new TypeError('not a mongodb:// URL');
  const { scheme, credentials, hosts, query } = parts;
  const options = needsAuthSource(parts) ? [...query, `authSource=${encodeURIComponent(authSourceOf(parts))}`] : query;
  const search = options.length === 0 ? '' : `?${options.join('&')}`;
  return `${scheme}${credentials === '' ? '' : `${credentials}@`}${hosts}/${encodeURIComponent(database)}${search}`;
}

/** The same servers, for a login that is defined in the database itself. */
export function withMongodbLogin(
  url: string,
  database: string,
  { name, password }: { readonly name: string; readonly password: string },
): string {
  const parts = parseMongodbUrl(url);
  if (parts === null) throw new TypeError('not a mongodb:// URL');
  const { scheme, hosts, query } = parts;
  const options = query.filter((option) => !/^(authSource|authMechanism|authMechanismProperties)=/i.test(option));
  const search = [...options, `authSource=${encodeURIComponent(database)}`].join('&');
  return `${scheme}${encodeURIComponent(name)}:${encodeURIComponent(password)}@${hosts}/${encodeURIComponent(database)}?${search}`;
}

/** For messages: without the password, and without options, which may hold one. */
export function describeMongodbUrl(url: string): string {
  const parts = parseMongodbUrl(url);
  if (parts === null) return 'an address that is not a mongodb:// URL';
  const user = parts.credentials.split(':')[0] ?? '';
  return [parts.scheme, user === '' ? '' : `${user}@`, parts.hosts, parts.database === '' ? '' : `/${parts.database}`].join('');
}

/** An option's value, decoded; null where the URL doesn't say. Names are told apart without case. */
export function mongodbOptionOf(url: string, name: string): string | null {
  return readOption(parseMongodbUrl(url)?.query ?? [], name);
}

function isHost(host: string): boolean {
  const parts = HOST.exec(host);
  return parts !== null && Number(parts[1] ?? 0) <= 65_535;
}

function needsAuthSource({ credentials, query }: MongodbUrl): boolean {
  return (
    credentials !== '' && readOption(query, 'authSource') === null && !EXTERNAL_MECHANISMS.test(readOption(query, 'authMechanism') ?? '')
  );
}

function authSourceOf({ scheme, database }: MongodbUrl): string {
  return database === '' || /srv/i.test(scheme) ? 'admin' : database;
}

function readOption(query: readonly string[], name: string): string | null {
  const found = query.find((option) => option.toLowerCase().startsWith(`${name.toLowerCase()}=`));
  return found === undefined ? null : decode(found.slice(name.length + 1));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Bytes that are no UTF-8 stand for themselves.
    return text;
  }
}
