import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import type { Registry } from '../../src/registry/registry.js';
import { verifyAudit } from '../../src/runs/audit/verify-audit.js';
import { repositoryRoot } from '../rig/cli.js';
import { createTestMysql } from '../rig/mysql.js';
import { createTestDatabase } from '../rig/postgres.js';
import { describeOn } from '../rig/require.js';
import { createMongodbSubject } from './registry-mongodb-rig.js';
import { change, register } from './registry-rig.js';

const CHAINS = 8;

/** A registry with events from before there were chains: three of acme's, one of nobody's. */
interface OldRegistry {
  readonly url: string;
  readonly applicationName: string;
  /** Changes what is said of the second of acme's. */
  edit(): Promise<unknown>;
  remove(): Promise<unknown>;
  drop(): Promise<void>;
}

async function upgrade({ url, applicationName }: OldRegistry): Promise<Registry> {
  return openRegistry({ url, create: false, applicationName });
}

function describeUpgrade(name: string, create: () => Promise<OldRegistry>): void {
  describe(name, () => {
    test('begins each chain with what there was before, and tells when that is changed', async (t) => {
      const old = await create();
      const registry = await upgrade(old);
      t.onTestFinished(async () => {
        await registry.close();
        await old.drop();
      });
      const events = await registry.listEvents('acme', { after: 0, limit: 10 });
      expect(events.map(({ place, type }) => [place, type])).toEqual([
        [0, 'old.1'],
        [0, 'old.2'],
        [0, 'old.3'],
        [1, 'audit.anchored'],
      ]);
      expect(events.at(-1)?.data).toMatchObject({ events: 3 });
      await register(registry, 'globex');
      await register(registry, 'acme');
      await registry.updateTenants([change('acme', null, { event: 'tenant.labelled' })]);
      expect(await verifyAudit(registry)).toMatchObject({ chains: 3, broken: 0 });
      await (await upgrade(old)).close();

      await old.edit();
      expect((await verifyAudit(registry)).breaks).toMatchObject([{ tenant: 'acme', damage: 'edited', from: 0, to: 0 }]);
      await old.remove();
      expect((await verifyAudit(registry, { tenant: 'acme' })).breaks).toMatchObject([
        { tenant: 'acme', damage: 'removed', from: 0, to: 0 },
      ]);
    });
  });
}

describeUpgrade('a registry on PostgreSQL of an older version', async () => {
  const database = await createTestDatabase();
  const folder = path.join(repositoryRoot, 'migrations/registry/postgres');
  await database.query('CREATE SCHEMA tenancy');
  for (const file of readdirSync(folder).sort()) {
    const version = Number(file.slice(0, 4));
    if (version >= CHAINS) continue;
    await database.query(readFileSync(path.join(folder, file), 'utf8'));
    await database.query('INSERT INTO tenancy.registry_migrations (version, name) VALUES ($1, $2)', [version, file]);
  }
  for (const type of ['old.1', 'old.2', 'old.3']) {
    await database.query(`INSERT INTO tenancy.events (tenant, run_id, type, data) VALUES ('acme', 'r', $1, '{"b": "x\\ny", "a": 1.5}')`, [
      type,
    ]);
  }
  await database.query(`INSERT INTO tenancy.events (type) VALUES ('old.1')`);
  const tamper = (sql: string) =>
    database.query(`ALTER TABLE tenancy.events DISABLE TRIGGER ALL; ${sql}; ALTER TABLE tenancy.events ENABLE TRIGGER ALL`);
  return {
    url: database.url,
    applicationName: 'tenancy-test',
    edit: () => tamper(`UPDATE tenancy.events SET data = '{}' WHERE type = 'old.2'`),
    remove: () => tamper(`DELETE FROM tenancy.events WHERE type = 'old.2'`),
    drop: () => database.drop(),
  };
});

describeOn('mariadb', () => {
  describeUpgrade('a registry on MariaDB of an older version', async () => {
    const database = await createTestMysql();
    await (await openRegistry({ url: database.url, create: true, applicationName: 'tenancy-test' })).close();
    for (const sql of [
      'ALTER TABLE tenancy_events DROP KEY events_chain, DROP KEY events_run, DROP COLUMN chain, DROP COLUMN place, DROP COLUMN actor, DROP COLUMN login, DROP COLUMN previous, DROP COLUMN hash',
      'DROP TABLE tenancy_audit_heads',
      `DELETE FROM tenancy_registry_migrations WHERE version >= ${CHAINS}`,
      `INSERT INTO tenancy_events (tenant, run_id, type, data) VALUES ('acme', 'r', 'old.1', '{"a": "x\\\\ny"}'), ('acme', 'r', 'old.2', '{}'), ('acme', NULL, 'old.3', '{}')`,
      `INSERT INTO tenancy_events (type, data) VALUES ('old.1', '{}')`,
    ]) {
      await database.query(sql);
    }
    const tamper = async (sql: string): Promise<void> => {
      await database.query('DROP TRIGGER IF EXISTS tenancy_events_no_update');
      await database.query('DROP TRIGGER IF EXISTS tenancy_events_no_delete');
      await database.query(sql);
    };
    return {
      url: database.url,
      applicationName: 'tenancy-test',
      edit: () => tamper(`UPDATE tenancy_events SET data = '{"b": 1}' WHERE type = 'old.2'`),
      remove: () => tamper(`DELETE FROM tenancy_events WHERE type = 'old.2'`),
      drop: () => database.drop(),
    };
  });
});

describeUpgrade('a registry on MongoDB of an older version', async () => {
  const { url, database, applicationName, drop } = await createMongodbSubject();
  await (await openRegistry({ url, create: true, applicationName })).close();
  const act = async (use: (db: ReturnType<MongoClient['db']>) => Promise<unknown>): Promise<void> => {
    const client = new MongoClient(url, { appName: 'rig' });
    await use(client.db(database)).finally(() => client.close());
  };
  await act(async (db) => {
    await db.dropCollection('tenancy.audit_heads');
    await db.collection<{ _id: number }>('tenancy.registry_migrations').deleteMany({ _id: { $gte: CHAINS } });
    await db.collection<{ _id: string }>('tenancy.registry').updateOne({ _id: 'registry' }, { $set: { version: CHAINS - 1 } });
    await db.collection<{ _id: string }>('tenancy.counters').updateOne({ _id: 'sequence' }, { $set: { value: 10 } });
    const old = (_id: number, tenant: string | null) => ({
      _id,
      at: new Date(),
      runId: 'r',
      tenant,
      type: `old.${_id}`,
      data: { b: 1, a: [] },
    });
    await db.collection<{ _id: number }>('tenancy.events').insertMany([old(1, 'acme'), old(2, 'acme'), old(3, 'acme'), old(4, null)]);
  });
  return {
    url,
    applicationName,
    edit: () => act((db) => db.collection('tenancy.events').updateOne({ type: 'old.2' }, { $set: { data: {} } })),
    remove: () => act((db) => db.collection('tenancy.events').deleteOne({ type: 'old.2' })),
    drop,
  };
});
