import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestMongo, mongoUrl } from '../rig/mongodb.js';
import { attackOf, type Fleet, findUnrefused, openFleet, PAIRS } from './isolation-fleet.js';

const MONGODB = `export async function up(db) { await db.collection('things').insertOne({ value: 'precious' }); }
`;

/** It has no such commands or stages, and would refuse them for that alone. */
const UNKNOWN_TO_STAND_IN = new Set(['out', 'merge', 'rename across', 'make a role', 'shut down']);

describe('21 isolation: mongodb-database', { timeout: 120_000 }, () => {
  let fleet: Fleet;
  let mongo: Awaited<ReturnType<typeof createTestMongo>>;
  beforeAll(async () => {
    mongo = await createTestMongo();
    fleet = await openFleet(
      mongo.url,
      mongoUrl(mongo.url, `${mongo.namePrefix}_registry`),
      'mongodb-database',
      `${mongo.namePrefix}_t_`,
      MONGODB,
    );
  }, 120_000);
  afterAll(async () => {
    await fleet?.close();
    await mongo?.drop();
  });

  const withDb = async <T>(id: string, use: (client: MongoClient) => Promise<T>): Promise<T> => {
    const client = new MongoClient(fleet.urls.get(id) ?? '', { retryReads: false, retryWrites: false });
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  };

  it('nothing that one tenant tries on another succeeds', async ({ task }) => {
    let tried = 0;
    for (const [attacker, victim] of PAIRS) {
      const { own, other, ownLogin, otherLogin } = await attackOf(fleet, [attacker, victim], 0, 'root');
      await withDb(attacker, async (client) => {
        const [mine, theirs, admin] = [client.db(own), client.db(other), client.db('admin')];
        const attacks: Readonly<Record<string, () => Promise<unknown>>> = {
          find: () => theirs.collection('things').findOne(),
          count: () => theirs.collection('things').countDocuments(),
          distinct: () => theirs.collection('things').distinct('value'),
          insert: () => theirs.collection('things').insertOne({ value: 'x' }),
          update: () => theirs.collection('things').updateMany({}, { $set: { value: 'x' } }),
          delete: () => theirs.collection('things').deleteMany({}),
          'find and modify': () => theirs.collection('things').findOneAndDelete({}),
          'bulk write': () => theirs.collection('things').bulkWrite([{ insertOne: { document: {} } }]),
          aggregate: () =>
            theirs
              .collection('things')
              .aggregate([{ $match: {} }])
              .toArray(),
          out: () =>
            mine
              .collection('things')
              .aggregate([{ $out: { db: other, coll: 'planted' } }])
              .toArray(),
          merge: () =>
            mine
              .collection('things')
              .aggregate([{ $merge: { into: { db: other, coll: 'things' } } }])
              .toArray(),
          'list collections': () => theirs.listCollections().toArray(),
          'list indexes': () => theirs.collection('things').indexes(),
          'create a collection': () => theirs.createCollection('planted'),
          'create an index': () => theirs.collection('things').createIndex({ value: 1 }),
          'drop an index': () => theirs.command({ dropIndexes: 'things', index: '*' }),
          'drop a collection': () => theirs.collection('things').drop(),
          'drop the database': () => theirs.dropDatabase(),
          'rename across': () => admin.command({ renameCollection: `${other}.things`, to: `${own}.stolen` }),
          'read our marker': () => theirs.collection('_tenancy').findOne(),
          'write our marker': () => theirs.collection<{ _id: string }>('_tenancy').updateOne({ _id: 'home' }, { $set: { tenant: 'x' } }),
          'users of the other': () => theirs.command({ usersInfo: 1 }),
          'all users': () => admin.command({ usersInfo: { forAllDBs: true } }),
          'make a user there': () => theirs.command({ createUser: 'planted', pwd: 'x', roles: [] }),
          'make a user here': () => mine.command({ createUser: 'planted', pwd: 'x', roles: [] }),
          'another password for the other': () => theirs.command({ updateUser: otherLogin, pwd: 'x' }),
          'more roles for itself': () => mine.command({ updateUser: ownLogin, roles: [{ role: 'readWrite', db: other }] }),
          'grant itself': () => mine.command({ grantRolesToUser: ownLogin, roles: [{ role: 'root', db: 'admin' }] }),
          'other marker on itself': () => mine.command({ updateUser: ownLogin, customData: {} }),
          'take roles': () => theirs.command({ revokeRolesFromUser: otherLogin, roles: ['readWrite'] }),
          'drop the other': () => theirs.command({ dropUser: otherLogin }),
          'make a role': () => mine.command({ createRole: 'planted', privileges: [], roles: [] }),
          'read system.users': () => admin.collection('system.users').findOne(),
          'read system.version': () => admin.collection('system.version').findOne(),
          'read config': () => client.db('config').collection('settings').findOne(),
          'read the oplog': () => client.db('local').collection('oplog.rs').findOne(),
          'server status': () => admin.command({ serverStatus: 1 }),
          'current operations': () => admin.command({ currentOp: 1 }),
          'end all sessions': () => admin.command({ killAllSessions: [{ user: otherLogin, db: other }] }),
          'set a parameter': () => admin.command({ setParameter: 1, logLevel: 1 }),
          'shut down': () => admin.command({ shutdown: 1 }),
        };
        const known = Object.entries(attacks).filter(([name]) => !(mongo.isStandIn && UNKNOWN_TO_STAND_IN.has(name)));
        const succeeded = await findUnrefused(Object.fromEntries(known));
        expect([attacker, victim, succeeded]).toEqual([attacker, victim, []]);
        tried += known.length;
        await mine.collection('things').insertOne({ value: 'mine' });
      });
      expect(await withDb(victim, (client) => client.db().collection('things').countDocuments({ value: 'precious' }))).toBe(1);
    }
    task.meta.points = { tried, converged: tried };
  });

  it('roles that a tenant writes into its own database are not given to it when it is resumed', async () => {
    const own = fleet.nameOf('test_x');
    const login = await fleet.loginOf('test_x');
    await withDb('test_x', (client) =>
      client
        .db(own)
        .collection<{ _id: string }>('_tenancy')
        .updateOne({ _id: 'home' }, { $set: { cut: [{ user: login, roles: [{ role: 'root', db: 'admin' }] }] } }),
    );
    expect((await fleet.tenancy.suspend('test_x')).exitCode).toBe(0);
    expect((await fleet.tenancy.resume('test_x')).exitCode).toBe(0);
    const root = new MongoClient(mongo.url);
    try {
      const { users } = await root.db(own).command({ usersInfo: login });
      expect(users[0].roles).toEqual([{ role: 'readWrite', db: own }]);
    } finally {
      await root.close();
    }
  });
});
