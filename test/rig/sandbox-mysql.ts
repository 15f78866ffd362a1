import { escapeId } from 'mysql2/promise';
import { dropMysqlNames, queryMysql } from './mysql.js';
import { withDatabase } from './postgres.js';
import type { SandboxEngine, SandboxLogin, SandboxTenant } from './sandbox-engine.js';

/** A registry that is half made lacks some of its tables. */
const HAS_REGISTRY = `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'tenancy_tenants'`;
const HAS_PREPARED = `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'tenancy_prepared_homes'`;

export const mysqlSandbox: SandboxEngine = {
  urlOf: withDatabase,
  create: async (serverUrl, name) => {
    await queryMysql(serverUrl, `CREATE DATABASE ${escapeId(name, true)}`);
  },
  query: queryMysql,
  readTenant: async (url, id) => {
    const [tenant] = await queryMysql<SandboxTenant>(url, 'SELECT status, schema_version FROM tenancy_tenants WHERE id = ?', [id]);
    return tenant;
  },
  readRecord: async (url, id) => {
    const [record] = await queryMysql(
      url,
      'SELECT status, incarnation, schema_version, migrations_hash, last_error, operation, updated_at FROM tenancy_tenants WHERE id = ?',
      [id],
    );
    return record;
  },
  readLogin: async (url, id) => {
    const [login] = await queryMysql<SandboxLogin>(
      url,
      `SELECT JSON_VALUE(login, '$.current') AS current, credential_ref AS credentialRef, JSON_VALUE(login, '$.previous.name') AS previous
         FROM tenancy_tenants WHERE id = ? AND login IS NOT NULL`,
      [id],
    );
    return login ?? null;
  },
  logIn: async (homeUrl, { name, password }) => {
    const url = new URL(homeUrl);
    url.username = name;
    url.password = encodeURIComponent(password);
    const [row] = await queryMysql<{ login: string }>(
      url.href,
      `SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AS login FROM counts LIMIT 1`,
    );
    return row?.login ?? 'nobody';
  },
  readCounts: async (url) => {
    const counts = await queryMysql<{ name: string }>(url, 'SELECT name FROM counts ORDER BY 1');
    return counts.map(({ name }) => name);
  },
  readFence: async (url, id) => {
    const [tenant] = await queryMysql<{ fence: string | number }>(url, 'SELECT fence FROM tenancy_tenants WHERE id = ?', [id]);
    return Number(tenant?.fence);
  },
  isLeased: async (url, id) => {
    if ((await queryMysql(url, HAS_REGISTRY)).length === 0) return false;
    const leased = 'SELECT 1 FROM tenancy_tenants WHERE id = ? AND lease_expires_at > UTC_TIMESTAMP(6)';
    return (await queryMysql(url, leased, [id])).length > 0;
  },
  expireLeases: async (url) => {
    if ((await queryMysql(url, HAS_REGISTRY)).length > 0)
      await queryMysql(url, 'UPDATE tenancy_tenants SET lease_expires_at = UTC_TIMESTAMP(6) WHERE lease_owner IS NOT NULL');
    if ((await queryMysql(url, HAS_PREPARED)).length > 0)
      await queryMysql(url, 'UPDATE tenancy_prepared_homes SET alive_until = UTC_TIMESTAMP(6)');
  },
  drop: async (serverUrl, name) => {
    await dropMysqlNames(serverUrl, name);
    await queryMysql(serverUrl, `DELETE FROM _tenancy.homes WHERE name LIKE ?`, [`${name.replaceAll('_', '\\_')}\\_%`]).catch(
      () => undefined, // nobody has made the ledger yet
    );
  },
};
