import { MongoClient } from 'mongodb';
import type { Tamper } from './registry-suite.js';

/** As the owner of the table, or a superuser, can: with the triggers off. `run` takes several statements at once. */
export function tamperPostgres(run: (sql: string) => Promise<unknown>): Tamper {
  const act = (sql: string): Promise<unknown> =>
    run(`ALTER TABLE tenancy.events DISABLE TRIGGER ALL; ${sql}; ALTER TABLE tenancy.events ENABLE TRIGGER ALL`);
  return tamperSql(act, 'tenancy.events', 'tenancy.audit_heads');
}

export function tamperMysql(run: (sql: string) => Promise<unknown>): Tamper {
  const act = async (sql: string): Promise<void> => {
    for (const statement of ['DROP TRIGGER IF EXISTS tenancy_events_no_update', 'DROP TRIGGER IF EXISTS tenancy_events_no_delete']) {
      await run(statement);
    }
    for (const statement of sql.split('; ')) await run(statement);
  };
  return tamperSql(act, 'tenancy_events', 'tenancy_audit_heads');
}

function tamperSql(act: (sql: string) => Promise<unknown>, events: string, heads: string): Tamper {
  const at = (tenant: string, place: number): string => `tenant = '${tenant}' AND place = ${place}`;
  return {
    edit: async (tenant, place) => void (await act(`UPDATE ${events} SET data = '{"edited": true}' WHERE ${at(tenant, place)}`)),
    remove: async (tenant, place) => void (await act(`DELETE FROM ${events} WHERE ${at(tenant, place)}`)),
    insert: async (tenant) => void (await act(`INSERT INTO ${events} (tenant, type, data) VALUES ('${tenant}', 'tenant.settled', '{}')`)),
    truncate: async (tenant, from, { hidesIt }) => {
      const hide = `UPDATE ${heads} SET place = ${from - 1}, hash = (SELECT e.hash FROM ${events} e WHERE e.tenant = '${tenant}' AND e.place = ${from - 1}) WHERE chain = '${tenant}'`;
      await act(`DELETE FROM ${events} WHERE tenant = '${tenant}' AND place >= ${from}${hidesIt ? `; ${hide}` : ''}`);
    },
    swap: async (tenant, one, other) => {
      // By way of a place that is nobody's: only what they say is exchanged.
      const [first, second] = [at(tenant, one), at(tenant, other)];
      await act(
        [
          `UPDATE ${events} SET place = -1 WHERE ${first}`,
          `UPDATE ${events} SET place = ${one} WHERE ${second}`,
          `UPDATE ${events} SET place = ${other} WHERE ${at(tenant, -1)}`,
        ].join('; '),
      );
    },
  };
}

export function tamperMongodb(url: string, database: string): Tamper {
  const act = async (use: (db: ReturnType<MongoClient['db']>) => Promise<unknown>): Promise<void> => {
    const client = new MongoClient(url, { appName: 'rig' });
    await use(client.db(database)).finally(() => client.close());
  };
  const events = 'tenancy.events';
  return {
    edit: (tenant, place) => act((db) => db.collection(events).updateOne({ tenant, place }, { $set: { data: { edited: true } } })),
    remove: (tenant, place) => act((db) => db.collection(events).deleteOne({ tenant, place })),
    insert: (tenant) =>
      act((db) =>
        db
          .collection<{ _id: number }>(events)
          .insertOne({ _id: 900_000_000, at: new Date(), runId: null, tenant, type: 'tenant.settled', data: {} } as { _id: number }),
      ),
    truncate: (tenant, from, { hidesIt }) =>
      act(async (db) => {
        const before = await db.collection(events).findOne({ tenant, place: from - 1 });
        await db.collection(events).deleteMany({ tenant, place: { $gte: from } });
        const heads = db.collection<{ _id: string }>('tenancy.audit_heads');
        if (hidesIt) await heads.updateOne({ _id: tenant }, { $set: { place: from - 1, hash: before?.['hash'] } });
      }),
    swap: (tenant, one, other) =>
      act(async (db) => {
        const move = (from: number, to: number) => db.collection(events).updateOne({ tenant, place: from }, { $set: { place: to } });
        await move(one, -1);
        await move(other, one);
        await move(-1, other);
      }),
  };
}
