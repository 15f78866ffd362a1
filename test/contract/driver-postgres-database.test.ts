import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterEngine, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import { formatCreateDraft } from '../../src/drivers/postgres/database-create.js';
import { draftName, droppedName } from '../../src/drivers/postgres/working-names.js';
import { createTestDatabase, query, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { createTcpProxy } from '../rig/tcp-proxy.js';
import { markerOf, sessionOptions } from './driver-suite.js';

const never = new AbortController().signal;

describe('postgres-database', () => {
  let database: TestDatabase;
  let engine: ClusterEngine;
  let driver: TenantDriver;

  beforeAll(async () => {
    database = await createTestDatabase('18');
    engine = await openClusterEngine({
      cluster: 'main',
      url: database.url,
      maxConnections: 2,
      extensionsSchema: 'extensions',
      applicationName: 'contract',
    });
    driver = engine.driver('postgres-database');
  });
  afterAll(async () => {
    await engine.close();
    await database.drop();
  });

  const target = (suffix: string): TenantTarget => ({ name: `${database.name}_${suffix}`, marker: markerOf(suffix) });
  const create = async (suffix: string): Promise<TenantTarget> => {
    const home = target(suffix);
    await driver.create(home, never);
    return home;
  };
  const run = (home: TenantTarget, sql: string): Promise<unknown[]> =>
    driver.withSession(home, sessionOptions(), async ({ db }) => (await db.query(sql)).rows);
  const draftsOf = ({ marker }: TenantTarget): Promise<unknown[]> =>
    database.query('SELECT FROM pg_database WHERE datname = $1', [draftName(marker.operation)]);

  it('takes up what an interrupted attempt of the same operation made', async () => {
    const home = target('late');
    await database.query(`CREATE DATABASE ${draftName(home.marker.operation)}`);
    expect(await driver.probe(home)).toEqual({ status: 'partial', isEmpty: true });
    expect(await driver.create(home, never)).toBe('adopted');
    expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
    expect(await draftsOf(home)).toEqual([]);
  });

  /** Lets no CREATE DATABASE go on until `release` is called. */
  const holdCreations = async (): Promise<{ isHeld(operation: string): Promise<void>; release(): Promise<void> }> => {
    const holder = new Client({ connectionString: database.url });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE pg_database IN SHARE MODE');
    const waiting = `SELECT FROM pg_stat_activity WHERE starts_with(query, $1) AND wait_event_type = 'Lock'`;
    return {
      isHeld: (operation) => expect.poll(() => database.query(waiting, [formatCreateDraft(operation)])).not.toEqual([]),
      release: () => holder.end(),
    };
  };

  /** A CREATE DATABASE of the operation that goes on although its client is dead, until `finish` is called. */
  const haunt = async ({ marker }: TenantTarget): Promise<{ finish(): Promise<void> }> => {
    const hold = await holdCreations();
    const zombie = new Client({ connectionString: database.url });
    zombie.on('error', () => {});
    await zombie.connect();
    zombie.query(formatCreateDraft(marker.operation)).catch(() => {});
    await hold.isHeld(marker.operation);
    (zombie as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    return { finish: hold.release };
  };

  it('waits for a CREATE DATABASE of a client that has died, and takes up what it made', async () => {
    const home = target('zombie');
    const zombie = await haunt(home);
    const creating = driver.create(home, never);
    await zombie.finish();
    expect(['created', 'adopted']).toContain(await creating);
    expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
    expect(await draftsOf(home)).toEqual([]);
  });

  it('drops nothing, and yet leaves nothing that such a CREATE DATABASE could still bring', async () => {
    const home = target('orphan');
    const zombie = await haunt(home);
    expect(await driver.drop(home, never)).toBe('absent');
    await zombie.finish();
    expect(await draftsOf(home)).toEqual([]);
  });

  it('goes on after an abort in the middle of creating', async () => {
    const home = target('aborted');
    const abort = new AbortController();
    const hold = await holdCreations();
    const creating = driver.create(home, abort.signal);
    await hold.isHeld(home.marker.operation);
    abort.abort(new Error('stop'));
    await expect(creating).rejects.toThrow('stop');
    await hold.release();
    expect(['created', 'adopted']).toContain(await driver.create(home, never));
    expect(await draftsOf(home)).toEqual([]);
  });

  it('says so where a transaction is left open', async () => {
    const home = await create('open');
    await run(home, 'CREATE TABLE t (id int)');
    await expect(run(home, 'BEGIN; INSERT INTO t VALUES (1)')).rejects.toMatchObject({ code: 'TENANCY_TRANSACTION_LEFT_OPEN' });
    await run(home, 'BEGIN; INSERT INTO t VALUES (2); COMMIT');
    expect(await run(home, 'SELECT id FROM t')).toEqual([{ id: 2 }]);
  });

  it('drops what an interrupted attempt left', async () => {
    const home = target('left');
    await database.query(`CREATE DATABASE ${draftName(home.marker.operation)}`);
    expect(await driver.drop(home, never)).toBe('dropped');
    expect(await driver.drop(home, never)).toBe('absent');
  });

  it('creates while somebody sits in template1', async () => {
    const sitter = new Client({ connectionString: withDatabase(database.url, 'template1') });
    await sitter.connect();
    try {
      await create('sitter');
    } finally {
      await sitter.end();
    }
  });

  it('leaves a name alone that somebody took while the database was made', async () => {
    const home = target('stolen');
    await database.query(`CREATE DATABASE ${draftName(home.marker.operation)}`);
    await database.query(`CREATE DATABASE ${home.name}`);
    await expect(driver.create(home, never)).rejects.toMatchObject({ code: 'TENANCY_NAME_TAKEN' });
    await expect(driver.drop(home, never)).rejects.toMatchObject({ code: 'TENANCY_DROP_REFUSED' });
    expect(await draftsOf(home)).toEqual([]);
  });

  it('drops while others are connected', async () => {
    const home = await create('busy');
    const other = new Client({ connectionString: driver.connectionUrl(home) });
    const ended = new Promise<Error>((resolve) => other.on('error', resolve));
    await other.connect();
    expect(await driver.drop(home, never)).toBe('dropped');
    await expect(ended).resolves.toBeInstanceOf(Error);
  });

  it('drops this life of a tenant and no other, where it stood still right before any of its requests', async () => {
    const standsStill = [/ALLOW_CONNECTIONS false/, /pg_terminate_backend/, /RENAME TO/, /^DROP DATABASE/];
    for (const [index, request] of standsStill.entries()) {
      const home = await create(`lives_${index}`);
      let wakeUp: () => void = () => undefined;
      let fallAsleep: () => void = () => undefined;
      const asleep = new Promise<void>((resolve) => (fallAsleep = resolve));
      const proxy = await createTcpProxy(database.url, {
        onRequest: async ({ phase, sql }) => {
          if (phase !== 'before' || !request.test(sql) || sql.includes('CREATE DATABASE')) return undefined;
          fallAsleep();
          await new Promise<void>((resolve) => (wakeUp = resolve));
          return undefined;
        },
      });
      const zombie = await openClusterEngine({
        cluster: 'main',
        url: proxy.url,
        maxConnections: 1,
        extensionsSchema: 'extensions',
        applicationName: 'zombie',
      });
      try {
        const late = zombie.driver('postgres-database').drop(home, never);
        late.catch(() => undefined);
        await asleep;
        expect(await driver.drop(home, never)).toBe('dropped');
        const next = { ...home, marker: markerOf(`lives_${index}`) };
        await driver.create(next, never);
        await run(next, 'CREATE TABLE t (id int)');
        wakeUp();
        await late.catch(() => undefined);
        expect([request, await driver.probe(next)]).toEqual([request, { status: 'ours', isEmpty: false }]);
        expect(await run(next, 'SELECT count(*)::int AS n FROM t')).toEqual([{ n: 0 }]);
        expect(await driver.drop(next, never)).toBe('dropped');
      } finally {
        wakeUp();
        await zombie.close();
        await proxy.close();
      }
    }
  });

  it('finishes a drop that was interrupted behind the rename', async () => {
    const home = await create('renamed');
    await database.query(`ALTER DATABASE "${home.name}" RENAME TO "${droppedName(home.marker.operation)}"`);
    expect(await driver.probe(home)).toEqual({ status: 'partial', isEmpty: true });
    expect(await driver.cutAccess(home, never)).toMatchObject({ isEnforced: true });
    expect(await driver.drop(home, never)).toBe('dropped');
    expect(await driver.probe(home)).toEqual({ status: 'absent' });
  });

  it('refuses a drop that PostgreSQL would refuse half way', async () => {
    const home = await create('prepared');
    await query(driver.connectionUrl(home), `BEGIN; CREATE TABLE t (id int); PREPARE TRANSACTION 'p-1'`);
    expect(await driver.planDrop(home)).toEqual([expect.stringContaining(`'p-1'`)]);
    await expect(driver.drop(home, never)).rejects.toMatchObject({ code: 'TENANCY_DROP_REFUSED' });
    await query(driver.connectionUrl(home), `ROLLBACK PREPARED 'p-1'`);
    expect(await driver.drop(home, never)).toBe('dropped');
  });

  it('never drops the database that it is connected to', async () => {
    const home = { name: database.name, marker: markerOf('itself') };
    await driver.mark(home);
    expect(await driver.planDrop(home)).toEqual([expect.stringContaining('the database that the cluster')]);
    await database.query(`COMMENT ON DATABASE ${database.name} IS NULL`);
  });

  it('takes a database for empty that holds nothing but its history', async () => {
    const home = await create('history');
    await run(home, 'CREATE SCHEMA _tenancy; CREATE TABLE _tenancy.migrations (name text)');
    expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
    await run(home, 'CREATE TABLE t (id int)');
    expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: false });
  });

  it('gives a URL that leads into the database', async () => {
    const home = await create('url');
    expect(await query(driver.connectionUrl(home), 'SELECT current_database() AS name')).toEqual([{ name: home.name }]);
  });

  describe('cutAccess', () => {
    const connectAs = (home: TenantTarget, role: string): Promise<Client> => {
      const url = new URL(driver.connectionUrl(home));
      url.username = role;
      url.password = 'secret';
      const client = new Client({ connectionString: url.href });
      client.on('error', () => {});
      return client.connect().then(() => client);
    };
    const grantsOf = ({ name }: TenantTarget): Promise<unknown[]> =>
      database.query(
        `SELECT grantee::regrole::text AS role, privilege_type AS privilege, is_grantable
           FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE datname = $1 ORDER BY 1, 2`,
        [name],
      );

    it('shuts out a login that is neither owner nor superuser, ends its sessions, and gives back the same grants', async () => {
      const home = await create('cut');
      const app = `${database.name}_app`;
      await database.query(`CREATE ROLE ${app} LOGIN PASSWORD 'secret'`);
      await database.query(`GRANT CONNECT, CREATE ON DATABASE ${home.name} TO ${app} WITH GRANT OPTION`);
      const before = await grantsOf(home);
      const session = await connectAs(home, app);
      expect(await driver.planCutAccess(home)).toMatchObject({ isEnforced: true });
      expect(await grantsOf(home)).toEqual(before);

      expect(await driver.cutAccess(home, never)).toMatchObject({
        isEnforced: true,
        detail: expect.stringContaining('postgres can still connect'),
      });
      await expect(session.query('SELECT 1')).rejects.toThrow();
      await expect(connectAs(home, app)).rejects.toMatchObject({ code: '42501' });
      expect(await run(home, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });

      await driver.cutAccess(home, never);
      await driver.restoreAccess(home, never);
      expect(await grantsOf(home)).toEqual(before);
      await (await connectAs(home, app)).end();
      await driver.restoreAccess(home, never);
      expect(await grantsOf(home)).toEqual(before);
      await driver.drop(home, never);
    });

    it('gives nothing to a role that is gone', async () => {
      const home = await create('gone');
      const role = `${database.name}_gone`;
      await database.query(`CREATE ROLE ${role}`);
      await database.query(`GRANT CONNECT ON DATABASE ${home.name} TO ${role}`);
      await driver.cutAccess(home, never);
      await database.query(`DROP ROLE ${role}`);
      await driver.restoreAccess(home, never);
      expect(await grantsOf(home)).toEqual(expect.arrayContaining([{ role: '-', privilege: 'CONNECT', is_grantable: false }]));
    });

    it('touches no home that is not ours', async () => {
      const home = await create('theirs');
      const stranger = { ...home, marker: markerOf('stranger') };
      await expect(driver.cutAccess(stranger, never)).rejects.toMatchObject({ code: 'TENANCY_ACCESS_REFUSED' });
      await expect(driver.restoreAccess(stranger, never)).rejects.toMatchObject({ code: 'TENANCY_ACCESS_REFUSED' });
    });
  });
});
