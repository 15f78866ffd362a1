import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import { codeOf } from './engine-context.js';

const INSUFFICIENT_PRIVILEGE = '42501';

const RIGHTS = `
  SELECT current_user AS login, current_database() AS database, rolsuper OR rolcreatedb AS can_create_database,
         has_database_privilege(current_database(), 'CREATE') AS can_create_schema
    FROM pg_roles WHERE rolname = current_user`;

interface Rights {
  readonly login: string;
  readonly database: string;
  readonly can_create_database: boolean;
  readonly can_create_schema: boolean;
}

/** Runs what creates a home; where the server forbids it for want of the one right that takes, the error says which and how to grant it. */
export async function namingMissingRight<T>(
  client: Client,
  kind: 'schema' | 'database',
  name: string,
  create: () => Promise<T>,
): Promise<T> {
  try {
    return await create();
  } catch (error) {
    if (codeOf(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    const { rows } = await client.query<Rights>(RIGHTS);
    const [rights] = rows;
    // Something else was forbidden then, which the server's own words tell better.
    if (rights === undefined || (kind === 'schema' ? rights.can_create_schema : rights.can_create_database)) throw error;
    const { login, database } = rights;
    throw new TenancyError('TENANCY_CREATE_FORBIDDEN', { name, kind, login, database }, { cause: error });
  }
}
