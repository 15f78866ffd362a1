import { escapeId } from 'mysql2/promise';
import { checksumMysqlHome } from './home-checksum-mysql.js';
import type { InvariantsOptions } from './invariants.js';
import { digestOf, findBrokenChains, untilNone } from './invariants-common.js';
import { queryMysql } from './mysql.js';
import { withDatabase } from './postgres.js';

/** A lease that a dead process left runs out within its 15 s. */
const LEASE_ENDS_MS = 16_000;
const CONNECTION_ENDS_MS = 3_000;

interface TenantRow {
  readonly id: string;
  readonly status: string;
  readonly name: string;
  readonly schema_version: string | null;
  readonly migrations_hash: string | null;
  readonly home_operation_id: string;
  readonly operation: string | null;
}

interface LedgerRow {
  readonly name: string;
  readonly tenant: string;
  readonly operation: string;
  readonly state: string;
}

type Violate = (what: string) => void;

/**
 * What must be true on MySQL or MariaDB once a recovery has ended, asked of the server itself: each database that begins with the prefix of homes
 * is a tenant's of the registry.
 */
export async function checkMysqlInvariants(options: InvariantsOptions): Promise<void> {
  const violations: string[] = [];
  const violate = (what: string): void => void violations.push(what);
  await checkConnections(options, violate);
  await checkLeases(options, violate);
  const tenants = await readTenants(options);
  const live = tenants.filter(({ status }) => status !== 'deprovisioned');
  await checkServer(options, live, violate);
  for (const tenant of live) if (!isUnfinished(options, tenant)) await checkTenant(options, tenant, violate);
  await checkSteps(options, violate);
  for (const broken of await findBrokenChains(options.registryUrl)) violate(broken);
  for (const [id, checksum] of options.bystanders ?? []) {
    const tenant = tenants.find((row) => row.id === id);
    if (tenant === undefined) violate(`${id}, a bystander, is not registered any more`);
    else if ((await checksumMysqlHome(options.adminUrl, tenant.name)) !== checksum) violate(`${id}, a bystander, was changed`);
  }
  if (violations.length > 0) throw new Error(`${violations.length} invariants are broken:\n${violations.join('\n')}`);
}

export async function checksumMysqlTenants(adminUrl: string, registryUrl: string, ids: readonly string[]): Promise<Map<string, string>> {
  const tenants = await readTenants({ registryUrl });
  const sums = new Map<string, string>();
  for (const id of ids) {
    const tenant = tenants.find((row) => row.id === id);
    if (tenant === undefined) throw new Error(`${id} is not registered`);
    sums.set(id, await checksumMysqlHome(adminUrl, tenant.name));
  }
  return sums;
}

function readTenants({ registryUrl }: Pick<InvariantsOptions, 'registryUrl'>): Promise<TenantRow[]> {
  const columns = 'id, status, name, schema_version, migrations_hash, home_operation_id, operation';
  return queryMysql(registryUrl, `SELECT ${columns} FROM tenancy_tenants ORDER BY id`);
}

function isUnfinished({ unfinished = [] }: InvariantsOptions, { id }: { readonly id: string }): boolean {
  return unfinished.includes(id);
}

/** The databases of the server that belong to this registry by their name, as LIKE wants it: `_` stands for any character there. */
function ownedNames({ registryUrl, homePrefix }: InvariantsOptions): { readonly registry: string; readonly like: string } {
  const registry = decodeURIComponent(new URL(registryUrl).pathname.slice(1));
  return { registry, like: `${(homePrefix ?? `${registry}_`).replaceAll('_', '\\_')}%` };
}

/** A thread takes a moment to notice that its client has gone, and a statement goes on to its end. */
async function checkConnections(options: InvariantsOptions, violate: Violate): Promise<void> {
  const { registry, like } = ownedNames(options);
  const sql =
    'SELECT db, command, left(info, 80) AS query FROM information_schema.PROCESSLIST WHERE id <> CONNECTION_ID() AND (db = ? OR db LIKE ?)';
  const left = await untilNone(CONNECTION_ENDS_MS, () => queryMysql(options.adminUrl, sql, [registry, like]));
  for (const row of left) violate(`a connection is still there: ${JSON.stringify(row)}`);
}

async function checkLeases({ registryUrl }: InvariantsOptions, violate: Violate): Promise<void> {
  const held = 'SELECT id, lease_owner FROM tenancy_tenants WHERE lease_owner IS NOT NULL AND lease_expires_at > UTC_TIMESTAMP(6)';
  const left = await untilNone(LEASE_ENDS_MS, () => queryMysql<{ id: string; lease_owner: string }>(registryUrl, held));
  for (const { id, lease_owner } of left) violate(`${id}: its lease is held by ${lease_owner}`);
}

/** Databases, rows of our ledger, users and grants: each belongs to a tenant, and each tenant has its own. */
async function checkServer(options: InvariantsOptions, live: readonly TenantRow[], violate: Violate): Promise<void> {
  const { adminUrl, registryUrl } = options;
  const { like } = ownedNames(options);
  const [registry] = await queryMysql<{ id: string }>(registryUrl, 'SELECT id FROM tenancy_registry');
  const ledger = await queryMysql<LedgerRow>(
    adminUrl,
    'SELECT name, tenant, operation, state FROM _tenancy.homes WHERE registry = ? OR name LIKE ?',
    [registry?.id ?? '', like],
  );
  const databases = await queryMysql<{ name: string }>(
    adminUrl,
    'SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE ?',
    [like],
  );
  for (const tenant of live.filter((row) => !isUnfinished(options, row))) {
    if (!databases.some(({ name }) => name === tenant.name)) violate(`${tenant.id}: there is no database ${tenant.name}`);
    const row = ledger.find(({ name }) => name === tenant.name);
    const state = tenant.status === 'retained' ? 'retained' : 'made';
    const expected = { name: tenant.name, tenant: tenant.id, operation: tenant.home_operation_id, state };
    if (JSON.stringify(row) !== JSON.stringify(expected)) violate(`${tenant.id}: the ledger says ${JSON.stringify(row)}`);
  }
  const isOwned = (name: string): boolean => live.some((tenant) => tenant.name === name);
  for (const { name } of databases) if (!isOwned(name)) violate(`${name} is an orphan: a database of no tenant`);
  for (const { name, state } of ledger) if (!isOwned(name)) violate(`${name} is an orphan in the ledger: ${state}`);
  const accounts = await queryMysql<{ home: string; user: string }>(
    adminUrl,
    'SELECT home, user FROM _tenancy.accounts WHERE home LIKE ?',
    [like],
  );
  for (const { home, user } of accounts) if (!isOwned(home)) violate(`the login ${user} was made for ${home}, which is gone`);
  // The name of a database is a pattern there, its `_` escaped.
  const grants = await queryMysql<{ name: string; user: string }>(
    adminUrl,
    `SELECT REPLACE(Db, '\\\\', '') AS name, User AS user FROM mysql.db WHERE REPLACE(Db, '\\\\', '') LIKE ?`,
    [like],
  );
  for (const { name, user } of grants) if (!isOwned(name)) violate(`${user} still has rights on ${name}, which is gone`);
}

async function checkTenant(
  { adminUrl, registryUrl, counterTable = 'counts' }: InvariantsOptions,
  tenant: TenantRow,
  violate: Violate,
): Promise<void> {
  const { id, name, status, operation, schema_version } = tenant;
  const isRetained = status === 'retained';
  if (!isRetained && status !== 'active' && status !== 'suspended') violate(`${id} is ${status}`);
  if (isRetained && operation === null) violate(`${id} is retained, and nobody knows by which operation`);
  if (!isRetained && operation !== null) violate(`${id}: the operation ${JSON.stringify(operation)} is not over`);
  const tables = await queryMysql<{ name: string }>(
    adminUrl,
    'SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?',
    [name],
  );
  const isThere = (table: string): boolean => tables.some((row) => row.name === table);
  if (!isThere('_tenancy_state') || !isThere('_tenancy_migrations')) return violate(`${id}: ${name} lacks tables of ours`);

  const url = withDatabase(adminUrl, name);
  const state = await queryMysql<{ type: string; name: string; detail: string | null }>(
    url,
    'SELECT type, name, detail FROM _tenancy_state',
  );
  const applied = await queryMysql<{ name: string; checksum: string; position: number }>(
    url,
    'SELECT name, checksum, position FROM _tenancy_migrations ORDER BY position',
  );
  const [registry] = await queryMysql<{ id: string }>(registryUrl, 'SELECT id FROM tenancy_registry');
  const marker = state.find(({ type }) => type === 'marker')?.detail ?? '{}';
  const expected = { tenant: id, registry: registry?.id, operation: tenant.home_operation_id };
  if (marker !== JSON.stringify(expected)) violate(`${id}: its marker is ${marker}`);
  if (state.filter(({ type }) => type === 'fence').length !== 1) violate(`${id} has no fence, or several`);
  for (const { type, name: what } of state) {
    if (type === 'progress' || type === 'seeding') violate(`${id}: ${what} is still under way`);
  }
  if (applied.some(({ position }, index) => position !== index + 1)) violate(`${id}: its history has gaps: ${JSON.stringify(applied)}`);
  const newest = applied.at(-1)?.name ?? null;
  if (schema_version !== newest) violate(`${id}: the registry says ${schema_version ?? 'nothing'}, the tenant ${newest ?? 'nothing'}`);
  if (tenant.migrations_hash !== digestOf(applied)) violate(`${id}: the registry's hash isn't that of the history`);
  if (!isThere(counterTable)) return;
  const recorded = [...applied, ...state.filter(({ type }) => type === 'seed')].map((row) => row.name);
  const counted = await queryMysql<{ name: string; times: number }>(
    url,
    `SELECT name, COUNT(*) AS times FROM ${escapeId(counterTable)} GROUP BY name`,
  );
  for (const row of counted) {
    if (Number(row.times) !== 1) violate(`${id}: ${row.name} ran ${row.times} times`);
    if (!recorded.includes(row.name.split('#')[0] ?? '')) violate(`${id}: ${row.name} ran and is not recorded`);
  }
  for (const done of recorded) if (!counted.some((row) => row.name === done)) violate(`${id}: ${done} is recorded and did not run`);
}

async function checkSteps({ registryUrl }: InvariantsOptions, violate: Violate): Promise<void> {
  const steps = await queryMysql<{ what: string }>(
    registryUrl,
    `SELECT CONCAT(s.tenant, ': the step ', s.step, ' of ', s.operation, ' is still ', s.state) AS what
       FROM tenancy_steps s LEFT JOIN tenancy_tenants t ON t.id = s.tenant AND JSON_VALUE(t.operation, '$.id') = s.operation_id
      WHERE s.state = 'started' AND t.id IS NULL`,
  );
  for (const { what } of steps) violate(what);
  const ahead = await queryMysql<{ name: string; status: string }>(registryUrl, 'SELECT name, status FROM tenancy_prepared_homes');
  for (const { name, status } of ahead) violate(`${name} was made ahead, and is ${status}`);
}
