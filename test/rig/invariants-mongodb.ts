import type { Document, MongoClient } from 'mongodb';
import { checksumMongodbHome } from './home-checksum-mongodb.js';
import type { InvariantsOptions } from './invariants.js';
import { digestOf, findBrokenChains, untilNone } from './invariants-common.js';
import { withMongo } from './sandbox-mongodb.js';

/** A lease that a dead process left runs out within its 15 s. */
const LEASE_ENDS_MS = 16_000;
const OPERATION_ENDS_MS = 3_000;

interface TenantDocument {
  readonly _id: string;
  readonly status: string;
  readonly name: string;
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
  readonly homeOperationId: string;
  readonly operation: { readonly id: string } | null;
  readonly lease: { readonly owner: string } | null;
}

interface HomeDocument {
  readonly _id: string;
  readonly tenant: string;
  readonly registry: string;
  readonly operation: string;
  readonly status: string;
  readonly migrations: readonly { readonly name: string; readonly checksum: string }[];
  readonly seeds: readonly { readonly name: string }[];
  readonly progress: unknown;
  readonly transaction: unknown;
}

interface Scene {
  readonly client: MongoClient;
  readonly options: InvariantsOptions;
  readonly violate: (what: string) => void;
}

/**
 * What must be true on MongoDB once a recovery has ended, asked of the server itself: each database that begins with the prefix of homes is a
 * tenant's of the registry.
 */
export function checkMongodbInvariants(options: InvariantsOptions): Promise<void> {
  return withMongo(options.registryUrl, async (client) => {
    const violations: string[] = [];
    const scene: Scene = { client, options, violate: (what) => void violations.push(what) };
    await checkOperations(scene);
    await checkLeases(scene);
    const tenants = await tenantsOf(client).find().sort({ _id: 1 }).toArray();
    const live = tenants.filter(({ status }) => status !== 'deprovisioned');
    await checkServer(scene, live);
    for (const tenant of live) if (!options.unfinished?.includes(tenant._id)) await checkTenant(scene, tenant);
    await checkSteps(scene, tenants);
    for (const broken of await findBrokenChains(options.registryUrl)) scene.violate(broken);
    for (const [id, checksum] of options.bystanders ?? []) {
      const tenant = tenants.find(({ _id }) => _id === id);
      if (tenant === undefined) scene.violate(`${id}, a bystander, is not registered any more`);
      else if ((await checksumMongodbHome(client, tenant.name)) !== checksum) scene.violate(`${id}, a bystander, was changed`);
    }
    if (violations.length > 0) throw new Error(`${violations.length} invariants are broken:\n${violations.join('\n')}`);
  });
}

export function checksumMongodbTenants(_adminUrl: string, registryUrl: string, ids: readonly string[]): Promise<Map<string, string>> {
  return withMongo(registryUrl, async (client) => {
    const sums = new Map<string, string>();
    for (const id of ids) {
      const tenant = await tenantsOf(client).findOne({ _id: id });
      if (tenant === null) throw new Error(`${id} is not registered`);
      sums.set(id, await checksumMongodbHome(client, tenant.name));
    }
    return sums;
  });
}

function prefixOf(client: MongoClient, { homePrefix }: InvariantsOptions): string {
  return homePrefix ?? `${client.db().databaseName}_`;
}

function tenantsOf(client: MongoClient): ReturnType<typeof collectionOf<TenantDocument>> {
  return collectionOf<TenantDocument>(client, 'tenancy.tenants');
}

function collectionOf<Row extends Document>(client: MongoClient, name: string) {
  return client.db().collection<Row>(name);
}

/** What a client has left running: a build of an index, a transaction. */
async function checkOperations({ client, options, violate }: Scene): Promise<void> {
  const own = `^(${client.db().databaseName}\\.|${prefixOf(client, options)})`;
  const running = [{ $currentOp: { allUsers: true, idleSessions: true } }, { $match: { ns: { $regex: own }, appName: { $ne: 'rig' } } }];
  for (const operation of await untilNone(OPERATION_ENDS_MS, () => client.db('admin').aggregate(running).toArray())) {
    violate(`it is still running: ${String(operation['type'])} ${String(operation['ns'])} ${JSON.stringify(operation['command'])}`);
  }
}

async function checkLeases({ client, violate }: Scene): Promise<void> {
  const held = { $expr: { $gt: ['$lease.expiresAt', '$$NOW'] } };
  for (const { _id, lease } of await untilNone(LEASE_ENDS_MS, () => tenantsOf(client).find(held).toArray())) {
    violate(`${_id}: its lease is held by ${lease?.owner ?? 'nobody'}`);
  }
}

/** Databases and users: each belongs to a tenant, and each tenant has its own. */
async function checkServer({ client, options, violate }: Scene, live: readonly TenantDocument[]): Promise<void> {
  const prefix = prefixOf(client, options);
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
  const names = databases.map(({ name }) => name).filter((name) => name.startsWith(prefix));
  const isOwned = (name: string): boolean => live.some((tenant) => tenant.name === name);
  for (const name of names) if (!isOwned(name)) violate(`${name} is an orphan: a database of no tenant`);
  for (const { _id, name } of live) {
    if (!names.includes(name) && !options.unfinished?.includes(_id)) violate(`${_id}: there is no database ${name}`);
  }
  const { users } = await client.db('admin').command({ usersInfo: { forAllDBs: true } });
  for (const { user, db } of users as { user: string; db: string }[]) {
    if (db.startsWith(prefix) && !isOwned(db)) violate(`the user ${user} of ${db} is still there, and the database is gone`);
  }
}

async function checkTenant({ client, options, violate }: Scene, tenant: TenantDocument): Promise<void> {
  const { _id: id, name, status, operation, schemaVersion } = tenant;
  const isRetained = status === 'retained';
  if (!isRetained && status !== 'active' && status !== 'suspended') violate(`${id} is ${status}`);
  if (isRetained && operation === null) violate(`${id} is retained, and nobody knows by which operation`);
  if (!isRetained && operation !== null) violate(`${id}: the operation ${JSON.stringify(operation)} is not over`);
  const home = await client.db(name).collection<HomeDocument>('_tenancy').findOne({ _id: 'home' });
  if (home === null) return violate(`${id}: ${name} has no document of ours`);
  const registry = await collectionOf<{ _id: string; id: string }>(client, 'tenancy.registry').findOne();
  const marker = { tenant: home.tenant, registry: home.registry, operation: home.operation };
  const expected = { tenant: id, registry: registry?.id, operation: tenant.homeOperationId };
  if (JSON.stringify(marker) !== JSON.stringify(expected)) violate(`${id}: its marker is ${JSON.stringify(marker)}`);
  if (home.status !== (isRetained ? 'retained' : 'ready')) violate(`${id}: its home is ${home.status}`);
  if (home.progress !== null) violate(`${id}: ${JSON.stringify(home.progress)} is still under way`);
  if (home.transaction !== null) violate(`${id}: a transaction was left`);
  const newest = home.migrations.at(-1)?.name ?? null;
  if (schemaVersion !== newest) violate(`${id}: the registry says ${schemaVersion ?? 'nothing'}, the tenant ${newest ?? 'nothing'}`);
  if (tenant.migrationsHash !== digestOf(home.migrations)) violate(`${id}: the registry's hash isn't that of the history`);

  const { counterTable = 'counts' } = options;
  if ((await client.db(name).listCollections({ name: counterTable }).toArray()).length === 0) return;
  const recorded = [...home.migrations, ...home.seeds].map((done) => done.name);
  const counted = new Map<string, number>();
  for (const row of await client.db(name).collection<{ name: string }>(counterTable).find().toArray())
    counted.set(row.name, (counted.get(row.name) ?? 0) + 1);
  for (const [done, times] of counted) {
    if (times !== 1) violate(`${id}: ${done} ran ${times} times`);
    if (!recorded.includes(done.split('#')[0] ?? '')) violate(`${id}: ${done} ran and is not recorded`);
  }
  for (const done of recorded) if (!counted.has(done)) violate(`${id}: ${done} is recorded and did not run`);
}

async function checkSteps({ client, violate }: Scene, tenants: readonly TenantDocument[]): Promise<void> {
  const started = await collectionOf<{ tenant: string; step: string; operationId: string }>(client, 'tenancy.steps')
    .find({ state: 'started' })
    .toArray();
  for (const { tenant, step, operationId } of started) {
    const isOver = !tenants.some(({ _id, operation }) => _id === tenant && operation?.id === operationId);
    if (isOver) violate(`${tenant}: the step ${step} of ${operationId}, which is over, is still started`);
  }
  for (const { name, status } of await collectionOf<{ name: string; status: string }>(client, 'tenancy.prepared_homes').find().toArray())
    violate(`${name} was made ahead, and is ${status}`);
}
