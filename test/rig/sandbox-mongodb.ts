import { MongoClient } from 'mongodb';
import { dropMongoNames, mongoUrl, withoutAbandoned } from './mongodb.js';
import type { SandboxEngine } from './sandbox-engine.js';

interface TenantDocument extends Record<string, unknown> {
  readonly _id: string;
  readonly status: string;
  readonly schemaVersion: string | null;
  readonly fence: number;
  readonly credentialRef: string | null;
  readonly login: { readonly current: string | null; readonly previous: { readonly name: string } | null } | null;
}

/** Those of a record that change with the tenant, and not with who holds it. */
const RECORDED = ['status', 'incarnation', 'schemaVersion', 'migrationsHash', 'lastError', 'operation', 'updatedAt'];

export const mongodbSandbox: SandboxEngine = {
  urlOf: mongoUrl,
  // A database is there from its first document on.
  create: () => Promise.resolve(),
  query: () => Promise.reject(new Error('MongoDB knows no SQL')),
  readTenant: async (url, id) => {
    const tenant = await findTenant(url, id);
    return tenant === null ? undefined : { status: tenant.status, schema_version: tenant.schemaVersion };
  },
  readRecord: async (url, id) => {
    const tenant = await findTenant(url, id);
    return tenant === null ? undefined : Object.fromEntries(RECORDED.map((name) => [name, tenant[name]]));
  },
  readLogin: async (url, id) => {
    const tenant = await findTenant(url, id);
    if (tenant?.login == null) return null;
    return { current: tenant.login.current, credentialRef: tenant.credentialRef, previous: tenant.login.previous?.name ?? null };
  },
  logIn: (homeUrl, { name, password }) =>
    withMongo(mongoUrl(homeUrl, new URL(homeUrl).pathname.slice(1), { user: name, password }), async (client) => {
      if ((await client.db().collection('counts').findOne()) === null) return 'nobody';
      const { authInfo } = await client.db().command({ connectionStatus: 1 });
      return String(authInfo.authenticatedUsers[0]?.user);
    }),
  readCounts: (url) =>
    withMongo(url, async (client) => {
      const counts = await client.db().collection('counts').find().toArray();
      return counts.map(({ name }) => String(name)).sort();
    }),
  readFence: async (url, id) => Number((await findTenant(url, id))?.fence),
  isLeased: async (url, id) => (await findTenant(url, id, { $expr: { $gt: ['$lease.expiresAt', '$$NOW'] } })) !== null,
  expireLeases: (url) =>
    withMongo(url, async (client) => {
      const now = [{ $set: { 'lease.expiresAt': '$$NOW' } }];
      const tenants = client.db().collection('tenancy.tenants');
      await withoutAbandoned(client, () => tenants.updateMany({ 'lease.owner': { $type: 'string' } }, now));
      const registry = client.db().collection<{ _id: string }>('tenancy.registry_migrations');
      await registry.updateOne({ _id: 'lock', owner: { $type: 'string' } }, [{ $set: { expiresAt: '$$NOW' } }]);
      await client
        .db()
        .collection('tenancy.prepared_homes')
        .updateMany({}, [{ $set: { aliveUntil: '$$NOW' } }]);
    }),
  drop: dropMongoNames,
};

function findTenant(url: string, id: string, filter: Record<string, unknown> = {}): Promise<TenantDocument | null> {
  return withMongo(url, (client) =>
    client
      .db()
      .collection<TenantDocument>('tenancy.tenants')
      .findOne({ _id: id, ...filter }),
  );
}

/** Opens a client for one thing; its database is the one that the URL names. */
export async function withMongo<T>(url: string, use: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(url, { appName: 'rig' });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}
