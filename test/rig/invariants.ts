import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { checksumHome, type Home } from './home-checksum.js';
import { digestOf, findBrokenChains } from './invariants-common.js';
import { keepingConnections, query, withDatabase } from './postgres.js';

/** As it is promised, and not read from the program. */
const LEASE_MS = 15_000;

export interface InvariantsOptions {
  /** Of the cluster, as the superuser, on the database in which schema tenants live. */
  readonly adminUrl: string;
  readonly registryUrl: string;
  /** Tenants nobody was to touch: checksums of their homes, taken before, by id. */
  readonly bystanders?: ReadonlyMap<string, string>;
  /**
   * Each migration (and seed) leaves a row `(name)` here, so that one that ran twice shows; further statements of one file add `#` and
   * something to the name. A tenant without the table is not looked at. @default 'counts'
   */
  readonly counterTable?: string;
  /** Where homes are databases of MySQL or MongoDB: what the name of each begins with, and nobody else's. @default the registry's database and `_` */
  readonly homePrefix?: string;
  /** Tenants that may be left behind half way, as by a test that broke them on purpose. */
  readonly unfinished?: readonly string[];
}

interface TenantRow {
  readonly id: string;
  readonly status: string;
  readonly driver: Home['driver'];
  readonly name: string;
  readonly schema_version: string | null;
  readonly migrations_hash: string | null;
  readonly home_operation_id: string;
  readonly operation: { readonly id: string } | null;
  readonly login: { readonly current: string | null; readonly next: string | null } | null;
  readonly credential_ref: string | null;
}

interface FoundHome extends Home {
  readonly marker: { readonly tenant: string; readonly registry: string; readonly operation: string };
}

/**
 * What must be true whatever was killed, raced or cut off before, once a recovery run has ended.
 * Throws all that isn't: the registry and the catalogue agree in both directions, every migration ran once, nothing is left behind.
 */
export async function checkInvariants(options: InvariantsOptions): Promise<void> {
  const violations = await keepingConnections(() => findViolations(options));
  if (violations.length > 0) throw new Error(`${violations.length} invariants are broken:\n${violations.join('\n')}`);
}

async function findViolations(options: InvariantsOptions): Promise<string[]> {
  const { adminUrl, registryUrl } = options;
  const violations: string[] = [];
  const lingering = await findLingering(adminUrl);
  violations.push(...lingering.map((backend) => `a backend is still there: ${backend}`));

  const leased = await findLeases(registryUrl);
  violations.push(...leased.map(({ id, lease_owner }) => `${id}: its lease is held by ${lease_owner}`));
  const [registry] = await query<{ id: string }>(registryUrl, 'SELECT id FROM tenancy.registry');
  const tenants = await query<TenantRow>(registryUrl, READ_TENANTS);
  const homes = await findHomes(adminUrl, registry?.id ?? '');
  const live = tenants.filter(({ status }) => status !== 'deprovisioned');
  for (const tenant of live) {
    const isUnfinished = options.unfinished?.includes(tenant.id) ?? false;
    if (tenant.status === 'retained') {
      violations.push(...(await checkRetained(options, tenant, homes)));
      continue;
    }
    if (!isUnfinished && tenant.status !== 'active' && tenant.status !== 'suspended') violations.push(`${tenant.id} is ${tenant.status}`);
    if (!isUnfinished && tenant.operation !== null) violations.push(`${tenant.id}: the operation ${tenant.operation.id} is not over`);
    const home = homes.find(({ driver, name }) => driver === tenant.driver && name === tenant.name);
    if (home === undefined) {
      if (!isUnfinished) violations.push(`${tenant.id}: there is no ${tenant.name} with our marker`);
    } else violations.push(...(await checkHome(options, tenant, home)));
  }
  const ahead = await query<{ id: string; name: string; status: string }>(
    registryUrl,
    'SELECT id, name, status FROM tenancy.prepared_homes',
  );
  for (const { name, status } of ahead) {
    if (status === 'ready' && !homes.some((home) => home.name === name)) violations.push(`${name} is called ready, and isn't there`);
  }
  for (const { name, marker } of homes) {
    if (marker.tenant.startsWith('*')) {
      if (!ahead.some(({ id }) => id === marker.operation)) violations.push(`${name} was made ahead, and the registry doesn't know it`);
      continue;
    }
    const owner = live.find((tenant) => tenant.name === name || (tenant.status === 'retained' && name === retainedName(tenant)));
    if (owner === undefined) violations.push(`${name} is an orphan: it carries the marker of ${marker.tenant}, which doesn't live there`);
    else if (owner.id !== marker.tenant || owner.home_operation_id !== marker.operation)
      violations.push(`${name} of ${owner.id} carries another marker`);
  }
  violations.push(...(await findLoginViolations(adminUrl, registry?.id ?? '', live)));
  violations.push(...(await findLeftovers(options)));
  violations.push(...(await findBrokenChains(registryUrl)));
  for (const [id, checksum] of options.bystanders ?? []) {
    const tenant = tenants.find((row) => row.id === id);
    if (tenant === undefined) violations.push(`${id}, a bystander, is not registered any more`);
    else if ((await checksumHome(adminUrl, tenant)) !== checksum) violations.push(`${id}, a bystander, was changed`);
  }
  return violations;
}

interface LoginRole {
  readonly name: string;
  readonly can_login: boolean;
  readonly operation: string | null;
}

/** Every login is a living tenant's, and every tenant that has one has it as the registry says. */
async function findLoginViolations(adminUrl: string, registry: string, live: readonly TenantRow[]): Promise<string[]> {
  const roles = await query<LoginRole>(
    adminUrl,
    `SELECT rolname AS name, rolcanlogin AS can_login, substr(comment, 9)::jsonb ->> 'operation' AS operation
       FROM (SELECT rolname, rolcanlogin, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles) r
      WHERE comment LIKE 'tenancy:{%' AND substr(comment, 9)::jsonb ->> 'registry' = $1`,
    [registry],
  );
  const violations: string[] = [];
  for (const { name, operation } of roles.filter((role) => role.operation !== null)) {
    if (!live.some((tenant) => tenant.home_operation_id === operation)) violations.push(`the login ${name} is an orphan`);
  }
  for (const { id, status, login, credential_ref } of live.filter((tenant) => tenant.login !== null)) {
    if (login?.next != null) violations.push(`${id}: its login ${login.next} is still being made`);
    if (credential_ref === null) violations.push(`${id}: nobody knows where its password is`);
    const role = roles.find(({ name }) => name === login?.current);
    if (role === undefined) violations.push(`${id}: its login ${login?.current} is not there`);
    else if (role.can_login !== (status === 'active'))
      violations.push(`${id} is ${status}, and its login ${role.can_login ? 'is' : 'is not'} let in`);
  }
  return violations;
}

/** Checksums to hand to `checkInvariants` later. */
export async function checksumTenants(adminUrl: string, registryUrl: string, ids: readonly string[]): Promise<Map<string, string>> {
  const tenants = await query<TenantRow>(registryUrl, READ_TENANTS);
  const sums = new Map<string, string>();
  for (const id of ids) {
    const tenant = tenants.find((row) => row.id === id);
    if (tenant === undefined) throw new Error(`${id} is not registered`);
    sums.set(id, await checksumHome(adminUrl, tenant));
  }
  return sums;
}

async function checkHome(
  { adminUrl, counterTable = 'counts', unfinished = [] }: InvariantsOptions,
  tenant: TenantRow,
  home: Home,
): Promise<string[]> {
  const isDatabase = home.driver === 'postgres-database';
  const client = new Client({ connectionString: isDatabase ? withDatabase(adminUrl, home.name) : adminUrl, application_name: 'rig' });
  await client.connect();
  const violations: string[] = [];
  const violate = (what: string): void => void violations.push(`${tenant.id}: ${what}`);
  const rowsOf = async <Row extends object>(sql: string): Promise<Row[]> => (await client.query<Row>(sql)).rows;
  try {
    const history = `${isDatabase ? '_tenancy' : `"${home.name}"`}`;
    const counter = `${isDatabase ? 'public' : `"${home.name}"`}.${counterTable}`;
    const isThere = async (table: string): Promise<boolean> =>
      (await client.query('SELECT to_regclass($1) IS NOT NULL AS is_there', [table])).rows[0]?.is_there === true;
    const hasHistory = await isThere(`${history}._tenancy_migrations`);
    const applied = hasHistory
      ? await rowsOf<{ name: string; checksum: string; position: number }>(
          `SELECT name, checksum, position FROM ${history}._tenancy_migrations ORDER BY position`,
        )
      : [];
    const state = hasHistory ? await rowsOf<{ type: string; name: string | null }>(`SELECT type, name FROM ${history}._tenancy_state`) : [];
    if (applied.some(({ position }, index) => position !== index + 1)) violate(`the history has gaps: ${JSON.stringify(applied)}`);
    if (state.filter(({ type }) => type === 'fence').length > 1) violate('there are several fences');
    const progress = state.find(({ type }) => type === 'progress');
    if (progress && !unfinished.includes(tenant.id)) violate(`${progress.name ?? ''} is still under way`);
    const newest = applied.at(-1)?.name ?? null;
    if (tenant.schema_version !== newest)
      violate(`the registry says ${tenant.schema_version ?? 'nothing'}, the tenant ${newest ?? 'nothing'}`);
    // Of no migrations nothing is recorded.
    const isBlank = applied.length === 0 && tenant.migrations_hash === null;
    if (!isBlank && tenant.migrations_hash !== digestOf(applied)) violate("the registry's hash isn't that of the history");

    if (await isThere(counter)) {
      const counted = await rowsOf<{ name: string; times: number }>(
        `SELECT name, count(*)::integer AS times FROM ${counter} GROUP BY name`,
      );
      const recorded = [
        ...applied.map(({ name }) => name),
        ...state.flatMap(({ type, name }) => (type === 'seed' && name !== null ? [name] : [])),
      ];
      for (const { name, times } of counted) {
        if (times !== 1) violate(`${name} ran ${times} times`);
        if (!recorded.includes(name.split('#')[0] ?? '')) violate(`${name} ran and is not recorded`);
      }
      for (const name of recorded) if (!counted.some((row) => row.name === name)) violate(`${name} is recorded and did not run`);
    }
    const invalid = await rowsOf<{ name: string }>(
      `SELECT indexrelid::regclass::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE NOT (indisvalid AND indisready) ${isDatabase ? '' : `AND c.relnamespace = '"${home.name}"'::regnamespace`}`,
    );
    for (const { name } of invalid) violate(`the index ${name} is invalid`);
  } finally {
    await client.end();
  }
  return violations;
}

/** A schema has another name meanwhile, and a database is closed; each with its marker, and the operation that retained it waiting. */
async function checkRetained({ adminUrl }: InvariantsOptions, tenant: TenantRow, homes: readonly FoundHome[]): Promise<string[]> {
  const { id, driver, name, operation } = tenant;
  const violations = operation === null ? [`${id} is retained, and nobody knows by which operation`] : [];
  const home = homes.find((found) => found.driver === driver && found.marker.operation === tenant.home_operation_id);
  if (home === undefined) return [...violations, `${id} is retained, and nothing carries its marker`];
  if (driver === 'postgres-schema' && home.name !== retainedName(tenant))
    violations.push(`${id} is retained, and ${home.name} has its name still`);
  const [database] = await query<{ datallowconn: boolean }>(adminUrl, 'SELECT datallowconn FROM pg_database WHERE datname = $1', [name]);
  if (driver === 'postgres-database' && database?.datallowconn !== false)
    violations.push(`${id} is retained, and ${name} lets in whoever comes`);
  return violations;
}

function retainedName({ home_operation_id: operation }: TenantRow): string {
  return `tenancy_retained_${operation}`;
}

const READ_TENANTS = `
  SELECT id, status, driver, name, schema_version, migrations_hash, home_operation_id, operation, login, credential_ref FROM tenancy.tenants ORDER BY id`;

/** Whatever carries the marker of this registry. */
async function findHomes(adminUrl: string, registry: string): Promise<FoundHome[]> {
  const found = await query<{ driver: Home['driver']; name: string; comment: string }>(
    adminUrl,
    `SELECT 'postgres-schema' AS driver, nspname AS name, obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace
     UNION ALL SELECT 'postgres-database', datname, shobj_description(oid, 'pg_database') FROM pg_database`,
  );
  return found.flatMap(({ driver, name, comment }) => {
    if (!comment?.startsWith('tenancy:')) return [];
    const marker = JSON.parse(comment.slice('tenancy:'.length)) as FoundHome['marker'];
    return marker.registry === registry ? [{ driver, name, marker }] : [];
  });
}

/** Half-made databases, and steps that are not over of operations that are. */
async function findLeftovers({ adminUrl, registryUrl, unfinished = [] }: InvariantsOptions): Promise<string[]> {
  const drafts = await query<{ name: string }>(
    adminUrl,
    `SELECT datname AS name FROM pg_database WHERE starts_with(datname, 'tenancy_op_') OR starts_with(datname, 'tenancy_drop_')`,
  );
  const operations = await query<{ id: string; tenant: string; is_over: boolean }>(
    registryUrl,
    `SELECT DISTINCT o.id, o.tenant, t.operation ->> 'id' IS DISTINCT FROM o.id AS is_over
       FROM (SELECT data -> 'operation' ->> 'id' AS id, tenant FROM tenancy.events WHERE type = 'tenant.registered'
             UNION SELECT home_operation_id, id FROM tenancy.tenants) o LEFT JOIN tenancy.tenants t ON t.id = o.tenant`,
  );
  const claimed = await query<{ name: string; tenant: string }>(
    registryUrl,
    `SELECT name, tenant FROM tenancy.prepared_homes WHERE status = 'claimed'`,
  );
  const ours = drafts.filter(({ name }) =>
    operations.some(({ id, tenant }) => (name === `tenancy_op_${id}` || name === `tenancy_drop_${id}`) && !unfinished.includes(tenant)),
  );
  const steps = await query<{ what: string }>(
    registryUrl,
    `SELECT tenant || ': the step ' || step || ' of ' || operation || ' is still ' || state AS what FROM tenancy.steps s
      WHERE state = 'started' AND NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.id = s.tenant AND t.operation ->> 'id' = s.operation_id)`,
  );
  return [
    ...ours.map(({ name }) => `${name} is half made`),
    ...steps.map(({ what }) => what),
    ...claimed.map(({ name, tenant }) => `${name} is still claimed by ${tenant}`),
  ];
}

/** One that was killed while it held a lease can't give it back, but it must run out within its time, as nobody renews it. */
async function findLeases(registryUrl: string): Promise<{ id: string; lease_owner: string }[]> {
  const held = 'SELECT id, lease_owner FROM tenancy.tenants WHERE lease_owner IS NOT NULL AND lease_expires_at > clock_timestamp()';
  const end = performance.now() + LEASE_MS + 1_000;
  for (;;) {
    const leased = await query<{ id: string; lease_owner: string }>(registryUrl, held);
    if (leased.length === 0 || performance.now() > end) return leased;
    await delay(250);
  }
}

/** A backend takes a moment to notice that its client has gone. */
async function findLingering(adminUrl: string): Promise<string[]> {
  const database = decodeURIComponent(new URL(adminUrl).pathname.slice(1));
  for (let attempt = 0; ; attempt++) {
    const left = await query<{ what: string }>(
      adminUrl,
      `SELECT application_name || ' in ' || datname || ': ' || left(query, 80) AS what FROM pg_stat_activity
        WHERE starts_with(application_name, 'tenancy') AND (datname = $1 OR starts_with(datname, $1 || '_'))`,
      [database],
    );
    if (left.length === 0 || attempt === 30) return left.map(({ what }) => what);
    await delay(100);
  }
}
