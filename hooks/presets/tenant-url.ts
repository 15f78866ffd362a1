import type { HookContext } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';

/** `ctx.url` in its parts, decoded: every tool wants it written in another way. */
export interface TenantUrl {
  readonly engine: 'postgres' | 'mysql';
  readonly user: string;
  readonly password: string;
  /** With the port, as it is written in a URL; empty for a socket. */
  readonly host: string;
  readonly database: string;
  /** Without `options`. */
  readonly query: ReadonlyMap<string, string>;
  /** As it is written in `SET search_path`; null in a database of the tenant's own. */
  readonly searchPath: string | null;
  /** libpq's options besides the search path. */
  readonly options: string;
}

const PARTS = /^(postgres(?:ql)?|mysql|mariadb):\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

/** @throws TenancyError `TENANCY_MIGRATOR_REFUSED` for a tenant on an engine that the tool isn't run for. */
export function readTenantUrl(ctx: HookContext, tool: string): TenantUrl {
  const [, scheme, credentials = '', host = '', database = '', search = ''] = PARTS.exec(ctx.url) ?? [];
  if (scheme === undefined) {
    throw new TenancyError('TENANCY_MIGRATOR_REFUSED', {
      tenant: ctx.tenant.id,
      reason: `${tool} is not run for a ${ctx.driver.name} tenant`,
      advice: 'use byDriver() to give tenants of each driver their own migrator',
    });
  }
  const at = credentials.indexOf(':');
  const pairs = search === '' ? [] : search.split('&').map((pair) => pair.split('='));
  const query = new Map(pairs.map(([name = '', ...value]) => [decode(name), decode(value.join('='))]));
  const given = query.get('options') ?? '';
  query.delete('options');
  const path = /(?:^|\s)-c\s+search_path=((?:"(?:[^"]|"")*"|[^\s])*)/.exec(given);
  return {
    engine: scheme.startsWith('postgres') ? 'postgres' : 'mysql',
    user: decode(at < 0 ? credentials : credentials.slice(0, at)),
    password: at < 0 ? (query.get('password') ?? '') : decode(credentials.slice(at + 1)),
    host,
    database: decode(database),
    query,
    searchPath: path?.[1] ?? null,
    options: path === null ? given : given.replace(path[0], '').trim(),
  };
}

/** A URL of those parts. Blanks are `%20`: some of the tools take a + literally. */
export function formatUrl(
  scheme: string,
  { user, password, host, database }: Pick<TenantUrl, 'user' | 'password' | 'host' | 'database'>,
  query: Iterable<readonly [string, string]> = [],
): string {
  const credentials = [user, password].filter((part, at) => at === 0 || part !== '').map(encodeURIComponent);
  const search = [...query].map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
  return `${scheme}://${user === '' ? '' : `${credentials.join(':')}@`}${host}/${encodeURIComponent(database)}${search === '' ? '' : `?${search}`}`;
}

/**
 * For Go's lib/pq, which golang-migrate and Atlas connect with: the password is left to PGPASSWORD, which it reads. It asks for TLS where nothing
 * is said, and we do not.
 */
export function forLibPq(
  url: TenantUrl,
  searchPath: string | null,
): { readonly url: string; readonly env: Readonly<Record<string, string>> } {
  const query = new Map(url.query);
  query.delete('password');
  if (!query.has('sslmode')) query.set('sslmode', 'disable');
  if (searchPath !== null) query.set('search_path', searchPath);
  if (url.options !== '') query.set('options', url.options);
  const env = url.password === '' ? {} : { PGPASSWORD: url.password };
  return { url: formatUrl('postgres', { ...url, password: '' }, query), env };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
