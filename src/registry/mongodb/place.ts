import { TenancyError } from '../../errors.js';
import { parseMongodbUrl } from '../../util/mongodb-url.js';
import { redactUrl } from '../../util/redact.js';

/** Where a registry is, in words: nothing of it is secret. */
export interface RegistryPlace {
  readonly where: string;
  readonly database: string;
  readonly user: string;
}

const DEFAULT_DATABASE = 'tenancy';

/** @throws TenancyError `TENANCY_REGISTRY_URL_REJECTED` */
export function locate(url: string): RegistryPlace {
  const parts = parseMongodbUrl(url);
  if (parts === null)
    throw new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: redactUrl(url), reason: 'it is not a well-formed URL' });
  const database = parts.database === '' ? DEFAULT_DATABASE : parts.database;
  return { where: `${parts.hosts}/${database}`, database, user: userOf(parts.credentials) };
}

function userOf(credentials: string): string {
  const [user = ''] = credentials.split(':');
  return user === '' ? 'who is not logged in' : decodeURIComponent(user);
}
