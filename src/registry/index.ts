import { TenancyError } from '../errors.js';
import { redactUrl } from '../util/redact.js';
import type { OpenRegistryOptions, Registry } from './registry.js';

type OpenRegistry = (options: OpenRegistryOptions) => Promise<Registry>;

/** One store for each scheme of a URL; its client library is loaded only where it is used. */
const stores = {
  'postgres:': async () => (await import('./postgres/open.js')).openPostgresRegistry,
  'postgresql:': async () => (await import('./postgres/open.js')).openPostgresRegistry,
  'mysql:': async () => (await import('./mysql/open.js')).openMysqlRegistry,
  'mariadb:': async () => (await import('./mysql/open.js')).openMysqlRegistry,
  'mongodb:': async () => (await import('./mongodb/open.js')).openMongodbRegistry,
  'mongodb+srv:': async () => (await import('./mongodb/open.js')).openMongodbRegistry,
} satisfies Record<string, () => Promise<OpenRegistry>>;

/**
 * Opens the registry that the URL names, and upgrades one that an older tenancy-cli made. The caller closes it.
 * `embedded:` is no scheme of its own here: whoever starts that server passes on its URL.
 *
 * @throws TenancyError `TENANCY_REGISTRY_NOT_FOUND` unless `create`, `TENANCY_REGISTRY_UNREACHABLE`, `TENANCY_REGISTRY_READ_ONLY`,
 * `TENANCY_REGISTRY_URL_REJECTED`, `TENANCY_REGISTRY_LOGIN_REFUSED`, `TENANCY_REGISTRY_DATABASE_MISSING`, `TENANCY_REGISTRY_FORBIDDEN`,
 * `TENANCY_REGISTRY_SCHEMA_TAKEN`, `TENANCY_REGISTRY_NEWER`, `TENANCY_REGISTRY_DAMAGED`, `TENANCY_REGISTRY_FAILED`.
 */
export async function openRegistry(options: OpenRegistryOptions): Promise<Registry> {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(options.url)?.[0].toLowerCase() ?? '';
  const load = (stores as Record<string, (() => Promise<OpenRegistry>) | undefined>)[scheme];
  if (load === undefined) {
    const reason = scheme === '' ? 'it is no URL' : `${scheme} is not a kind of registry`;
    throw new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: redactUrl(options.url), reason });
  }
  const open = await load();
  const opening = open(options);
  // PostgreSQL's client has more to say than that it would like to connect, and tells by itself when it has.
  if (!scheme.startsWith('postgres')) options.onAsked?.();
  return opening;
}
