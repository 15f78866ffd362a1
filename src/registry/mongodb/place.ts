import { TenancyError } from '../../errors.js';
import { mongodbOptionOf, parseMongodbUrl } from '../../util/mongodb-url.js';
import { redactUrl } from '../../util/redact.js';
import type { RegistryPlace as AnyRegistryPlace } from '../place.js';

export interface RegistryPlace extends AnyRegistryPlace {
  /** That the URL names. */
  readonly replicaSet: string | null;
}

const DEFAULT_DATABASE = 'tenancy';

/** The server's own, where it allows no transactions (Manual, Transactions). `admin` is often named for the login's sake alone. */
const OWN_DATABASES = /^(admin|config|local)$/i;

/** @throws TenancyError `TENANCY_REGISTRY_URL_REJECTED` */
export function locate(url: string): RegistryPlace {
  const parts = parseMongodbUrl(url);
  if (parts === null)
    throw new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: redactUrl(url), reason: 'it is not a well-formed URL' });
  const database = parts.database === '' ? DEFAULT_DATABASE : parts.database;
  if (OWN_DATABASES.test(database)) {
    const reason = `the database ${database} is the server's own; name another, with ?authSource=${database} if the user is of that one`;
    throw new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: redactUrl(url), reason });
  }
  return { where: `${parts.hosts}/${database}`, database, user: userOf(parts.credentials), replicaSet: mongodbOptionOf(url, 'replicaSet') };
}

function userOf(credentials: string): string {
  const [user = ''] = credentials.split(':');
  return user === '' ? 'who is not logged in' : decodeURIComponent(user);
}
