import { randomBytes } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { askRig } from './ask.js';
import type { MongoDeployment } from './mongodb/deployment.js';

export interface TestMongo {
  /** Of a user that may do all, on no database. */
  readonly url: string;
  /** Begins the name of every database and user of this test, so that tests that run at the same time don't meet. */
  readonly namePrefix: string;
  /** What the server is: one that was given, an installed `mongod`, or the stand-in. */
  readonly label: string;
  readonly isStandIn: boolean;
  /** Drops the databases and the users whose names begin with the prefix. */
  drop(): Promise<void>;
}

let shared: Promise<Omit<MongoDeployment, 'stop'>> | undefined;

/** The MongoDB that all tests of this run share, started by whoever asks first, and names on it that are this test's alone. */
export async function createTestMongo(): Promise<TestMongo> {
  shared ??= askRig('mongodb');
  return describe(await shared, () => Promise.resolve());
}

/**
 * A MongoDB of the caller's own, for tests that turn what all users of a server notice: fail points (a server has one
 * `failCommand`), parameters, the clock. `drop` stops it. Only a server that was given is shared all the same.
 */
export async function createOwnTestMongo(): Promise<TestMongo> {
  shared ??= askRig('mongodb');
  if (process.env['TENANCY_TEST_MONGODB_URL']) return describe(await shared, () => Promise.resolve());
  const { startMongoDeployment } = await import('./mongodb/deployment.js');
  const own = await startMongoDeployment();
  return describe(own, () => own.stop());
}

function describe({ url, label, isStandIn }: Omit<MongoDeployment, 'stop'>, stop: () => Promise<void>): TestMongo {
  const namePrefix = `t_${randomBytes(5).toString('hex')}`;
  return { url, namePrefix, label, isStandIn, drop: () => dropMongoNames(url, namePrefix).finally(stop) };
}

/** The same server, another database, and another user where one is given: one of that database, as tenants have them. */
export function mongoUrl(url: string, database: string, login?: { readonly user: string; readonly password: string }): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  if (login === undefined) return changed.href;
  changed.username = encodeURIComponent(login.user);
  changed.password = encodeURIComponent(login.password);
  changed.searchParams.set('authSource', database);
  return changed.href;
}

/** Nobody who is alive is in the middle of a transaction for so long; whoever is, and isn't dead, begins it anew. */
const IDLE_MS = 1_000;

/**
 * Does what transactions of clients that were killed would keep waiting for a minute (`transactionLifetimeLimitSeconds`), and ends those meanwhile.
 * Only what tests do beside the program: it has to get along with them by itself.
 */
export async function withoutAbandoned<T>(client: MongoClient, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => void endAbandoned(client).catch(() => undefined), IDLE_MS / 2);
  return work().finally(() => clearInterval(timer));
}

async function endAbandoned(client: MongoClient): Promise<void> {
  const idle = { type: 'idleSession', 'transaction.timeInactiveMicros': { $gt: IDLE_MS * 1_000 } };
  const pipeline = [{ $currentOp: { allUsers: false, idleSessions: true } }, { $match: idle }];
  const admin = client.db('admin');
  const sessions = await admin.aggregate<{ lsid: { id: unknown } }>(pipeline, { readConcern: { level: 'local' } }).toArray();
  if (sessions.length > 0) await admin.command({ killSessions: sessions.map(({ lsid }) => ({ id: lsid.id })) });
}

/** Drops the databases and users whose names begin with a prefix. Users outlive their databases, so they are looked for in all. */
export async function dropMongoNames(url: string, prefix: string): Promise<void> {
  const client = new MongoClient(url, { appName: 'rig' });
  try {
    const admin = client.db('admin');
    const { databases } = await admin.admin().listDatabases({ nameOnly: true, filter: { name: { $regex: `^${prefix}` } } });
    await withoutAbandoned(client, () => Promise.all(databases.map(({ name }) => client.db(name).dropDatabase())));
    const { users } = (await admin.command({ usersInfo: { forAllDBs: true } })) as unknown as { users: { user: string; db: string }[] };
    for (const { user, db } of users) {
      if (user.startsWith(prefix) || db.startsWith(prefix)) await client.db(db).command({ dropUser: user });
    }
  } finally {
    await client.close();
  }
}
