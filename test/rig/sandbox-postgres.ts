import { escapeIdentifier } from 'pg';
import { keepingConnections, query, withDatabase } from './postgres.js';
import { dropPreparedHomes } from './prepared-homes.js';
import type { SandboxEngine, SandboxLogin, SandboxTenant } from './sandbox-engine.js';

export const postgresSandbox: SandboxEngine = {
  urlOf: withDatabase,
  create: async (serverUrl, name) => {
    await query(serverUrl, `CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE template0`);
  },
  query,
  readTenant: async (url, id) => {
    const [tenant] = await query<SandboxTenant & Record<string, unknown>>(
      url,
      'SELECT status, schema_version FROM tenancy.tenants WHERE id = $1',
      [id],
    );
    return tenant;
  },
  readRecord: async (url, id) => {
    const [record] = await query(
      url,
      'SELECT status, incarnation, schema_version, migrations_hash, last_error, operation, updated_at FROM tenancy.tenants WHERE id = $1',
      [id],
    );
    return record;
  },
  readLogin: async (url, id) => {
    const [login] = await query<SandboxLogin & Record<string, unknown>>(
      url,
      `SELECT login ->> 'current' AS current, credential_ref AS "credentialRef", login -> 'previous' ->> 'name' AS previous
         FROM tenancy.tenants WHERE id = $1 AND login IS NOT NULL`,
      [id],
    );
    return login ?? null;
  },
  logIn: async (homeUrl, { name, password }) => {
    const url = new URL(homeUrl);
    url.username = name;
    url.password = encodeURIComponent(password);
    const [row] = await query<{ login: string }>(url.href, 'SELECT current_user AS login FROM counts LIMIT 1');
    return row?.login ?? 'nobody';
  },
  readCounts: async (url) => {
    const counts = await query<{ name: string }>(url, 'SELECT name FROM counts ORDER BY 1');
    return counts.map(({ name }) => name);
  },
  readFence: async (url, id) => {
    const [tenant] = await query<{ fence: string }>(url, 'SELECT fence FROM tenancy.tenants WHERE id = $1', [id]);
    return Number(tenant?.fence);
  },
  isLeased: async (url, id) => {
    const held = 'SELECT FROM tenancy.tenants WHERE id = $1 AND lease_expires_at > clock_timestamp()';
    return keepingConnections(async () => (await hasRegistry(url)) && (await query(url, held, [id])).length > 0);
  },
  expireLeases: async (url) => {
    const expire = `UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() WHERE lease_owner IS NOT NULL;
       UPDATE tenancy.prepared_homes SET alive_until = clock_timestamp()`;
    await keepingConnections(async () => {
      if (await hasRegistry(url)) await query(url, expire);
    });
  },
  drop: async (serverUrl, name) => {
    await dropPreparedHomes(withDatabase(serverUrl, name));
    const owned = `SELECT datname AS name FROM pg_database WHERE datname = $1 OR starts_with(datname, $1 || '_')`;
    await keepingConnections(async () => {
      for (const row of await query<{ name: string }>(serverUrl, owned, [name])) {
        await query(serverUrl, `DROP DATABASE IF EXISTS ${escapeIdentifier(row.name)} WITH (FORCE)`);
      }
    });
  },
};

async function hasRegistry(url: string): Promise<boolean> {
  const [registry] = await query<{ is_there: boolean }>(url, `SELECT to_regclass('tenancy.tenants') IS NOT NULL AS is_there`);
  return registry?.is_there === true;
}
