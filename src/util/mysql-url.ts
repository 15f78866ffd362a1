import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';

/** How a connection is encrypted, in the words of the `mysql` client's `--ssl-mode`. */
export type MysqlSslMode = 'DISABLED' | 'PREFERRED' | 'REQUIRED' | 'VERIFY_CA' | 'VERIFY_IDENTITY';

/** A `mysql://` or `mariadb://` URL in its parts, decoded. */
export interface MysqlAddress {
  readonly host: string;
  readonly port: number;
  /** Of a Unix socket (`?socket=/run/mysqld/mysqld.sock`); host and port don't count then. */
  readonly socketPath: string | null;
  readonly user: string;
  readonly password: string;
  /** Null where the URL names none. */
  readonly database: string | null;
  readonly sslMode: MysqlSslMode;
  /** Files, as `ssl-ca`, `ssl-cert` and `ssl-key` name them. */
  readonly sslFiles: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };
  /** For messages: no password, no options. */
  readonly where: string;
}

/** The part of mysql2's options that a URL decides. */
export interface MysqlConnectOptions {
  host?: string;
  port?: number;
  socketPath?: string;
  user: string;
  password: string;
  database?: string;
  ssl?: { ca?: string; cert?: string; key?: string; rejectUnauthorized: boolean; verifyIdentity: boolean };
}

const SSL_MODES: readonly MysqlSslMode[] = ['DISABLED', 'PREFERRED', 'REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'];
const OPTIONS = new Set(['ssl-mode', 'ssl-ca', 'ssl-cert', 'ssl-key', 'socket']);
const SCHEME = /^(?:mysql|mariadb):$/;

/** What is wrong with the URL, in words that follow "it"; null where nothing is. Shows no password. */
export function explainMysqlUrl(url: string): string | null {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !SCHEME.test(parsed.protocol)) return 'it is not a well-formed mysql:// URL';
  if (parsed.hostname === '' && !parsed.searchParams.has('socket')) return 'it names no host';
  if (readPath(parsed) === undefined || decode(parsed.username) === null || decode(parsed.password) === null)
    return 'a % in it is not followed by two digits: write a % itself as %25';
  for (const name of parsed.searchParams.keys()) {
    if (!OPTIONS.has(name)) return `its option ${name} is not known; there are ${[...OPTIONS].join(', ')}`;
  }
  const mode = parsed.searchParams.get('ssl-mode');
  if (mode !== null && !SSL_MODES.includes(mode.toUpperCase() as MysqlSslMode)) {
    return `its ssl-mode is not one of ${SSL_MODES.join(', ')}`;
  }
  // mysql2 names no server to Node for an address, which then looks for `localhost` in the certificate.
  if (
    mode?.toUpperCase() === 'VERIFY_IDENTITY' &&
    !parsed.searchParams.has('socket') &&
    isIP(parsed.hostname.replace(/^\[(.*)\]$/, '$1')) > 0
  )
    return 'its ssl-mode VERIFY_IDENTITY looks for a name in the certificate, and its host is an address: name the host, or take VERIFY_CA';
  return null;
}

/**
 * Null where `explainMysqlUrl` has something to say. `ssl-mode` means what it means to the `mysql` client, but for its default: without it
 * the connection isn't encrypted, or is where `ssl-ca` asks for a certificate to be checked (VERIFY_CA).
 */
export function parseMysqlUrl(url: string): MysqlAddress | null {
  if (explainMysqlUrl(url) !== null) return null;
  const { protocol, hostname, port, username, password, searchParams, pathname } = new URL(url);
  const ca = searchParams.get('ssl-ca');
  const mode = searchParams.get('ssl-mode')?.toUpperCase() as MysqlSslMode | undefined;
  const database = decode(pathname.slice(1)) ?? '';
  const user = decode(username) ?? '';
  const socketPath = searchParams.get('socket');
  const address = socketPath === null ? `${hostname}${port === '' ? '' : `:${port}`}` : (socketPath as string);
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 3306 : Number(port),
    socketPath,
    user,
    password: decode(password) ?? '',
    database: database === '' ? null : database,
    sslMode: mode ?? (ca === null ? 'DISABLED' : 'VERIFY_CA'),
    sslFiles: { ca, cert: searchParams.get('ssl-cert'), key: searchParams.get('ssl-key') },
    where: `${protocol}//${user === '' ? '' : `${user}@`}${address}${database === '' ? '' : `/${database}`}`,
  };
}

/**
 * For mysql2's `createConnection`. PREFERRED asks for TLS here: who connects tries again with `ssl` left out when the server has none
 * (mysql2's code HANDSHAKE_NO_SSL_SUPPORT). REQUIRED encrypts and checks no certificate.
 * @throws where a file that the URL names can't be read.
 */
export function mysqlConnectOptions(address: MysqlAddress): MysqlConnectOptions {
  const { host, port, socketPath, user, password, database, sslMode, sslFiles } = address;
  const files: { ca?: string; cert?: string; key?: string } = {};
  for (const name of ['ca', 'cert', 'key'] as const) {
    const file = sslFiles[name];
    if (file !== null && sslMode !== 'DISABLED') files[name] = readFileSync(file, 'utf8');
  }
  const isVerified = sslMode === 'VERIFY_CA' || sslMode === 'VERIFY_IDENTITY';
  return {
    ...(socketPath === null ? { host, port } : { socketPath }),
    user,
    password,
    ...(database === null ? {} : { database }),
    ...(sslMode === 'DISABLED' ? {} : { ssl: { ...files, rejectUnauthorized: isVerified, verifyIdentity: sslMode === 'VERIFY_IDENTITY' } }),
  };
}

/** The same server and options, another database. */
export function withMysqlDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}

/** The same server and options, for another login, in a database. */
export function withMysqlLogin(
  url: string,
  database: string,
  { name, password }: { readonly name: string; readonly password: string },
): string {
  const changed = new URL(withMysqlDatabase(url, database));
  changed.username = encodeURIComponent(name);
  changed.password = encodeURIComponent(password);
  return changed.href;
}

function readPath({ pathname }: URL): string | undefined {
  return decode(pathname.slice(1)) ?? undefined;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
