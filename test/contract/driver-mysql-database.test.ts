import { createConnection } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import type { TenantTarget } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import { lockName } from '../../src/drivers/mysql/engine-context.js';
import { createTestMysql, queryMysql } from '../rig/mysql.js';
import { createMysqlProxy } from '../rig/mysql-proxy.js';
import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { suiteOn } from '../rig/require.js';
import { useMysqlTenants } from './migrate-mysql-rig.js';

const never = new AbortController().signal;

suiteOn('mariadb')('databases of MariaDB as homes', {}, () => {
  const tenants = useMysqlTenants();
  const { newTenant } = tenants;
  const sql = <Row = Record<string, unknown>>(text: string): Promise<Row[]> => tenants.database.query<Row>(text);
  const home = (suffix: string): TenantTarget => ({
    name: `${tenants.database.name}_${suffix}`,
    marker: { tenant: suffix, registry: 'registry-1', operation: `operation-${suffix}` },
  });
  const ledger = (target: TenantTarget): Promise<{ state: string }[]> =>
    sql(`SELECT state FROM _tenancy.homes WHERE name = '${target.name}'`);
  const begin = ({ name, marker }: TenantTarget, state: string): Promise<unknown> =>
    sql(
      `INSERT INTO _tenancy.homes (name, tenant, registry, operation, state) VALUES ('${name}', '${marker.tenant}', '${marker.registry}', '${marker.operation}', '${state}')`,
    );
  const createUser = async (suffix: string, ...grants: readonly string[]): Promise<string> => {
    const user = `${tenants.database.name}_${suffix}`;
    await sql(`CREATE USER '${user}'@'%' IDENTIFIED BY 'canary-pw'`);
    for (const grant of grants) await sql(`GRANT ${grant} TO '${user}'@'%'`);
    return user;
  };
  const connect = (user: string, database: string): ReturnType<typeof createConnection> => {
    const url = new URL(tenants.database.url);
    return createConnection({ host: url.hostname, port: Number(url.port || 3306), user, password: 'canary-pw', database });
  };
  const grantsOf = async (user: string): Promise<string[]> =>
    (await sql(`SHOW GRANTS FOR '${user}'@'%'`)).map((row) => String(Object.values(row)[0])).filter((grant) => !grant.includes('USAGE'));

  describe('what was begun', () => {
    it('is taken up where the ledger and the comment say that it is ours', async () => {
      const target = home('begun');
      await newTenant();
      await begin(target, 'creating');
      await sql(`CREATE DATABASE \`${target.name}\` COMMENT '${JSON.stringify(target.marker)}'`);
      expect(await tenants.driver.probe(target)).toEqual({ status: 'partial', isEmpty: true });
      expect(await tenants.driver.create(target, never)).toBe('adopted');
      expect(await tenants.driver.probe(target)).toEqual({ status: 'ours', isEmpty: true });
      expect(await ledger(target)).toEqual([{ state: 'made' }]);
    });

    it('is left alone where there is no row of ours, another’s comment, or something in it', async () => {
      const target = home('strange');
      await sql(`CREATE DATABASE \`${target.name}\``);
      await expect(tenants.driver.create(target, never)).rejects.toMatchObject({ code: 'TENANCY_NAME_TAKEN' });
      await begin({ ...target, marker: { ...target.marker, operation: 'another' } }, 'creating');
      await expect(tenants.driver.create(target, never)).rejects.toMatchObject({ code: 'TENANCY_NAME_TAKEN' });
      await sql(`UPDATE _tenancy.homes SET operation = '${target.marker.operation}' WHERE name = '${target.name}'`);
      // Made by us it would have had our comment from its first moment.
      await expect(tenants.driver.create(target, never)).rejects.toMatchObject({ code: 'TENANCY_NAME_TAKEN' });
      await sql(`ALTER DATABASE \`${target.name}\` COMMENT '${JSON.stringify({ ...target.marker, operation: 'another' })}'`);
      await expect(tenants.driver.create(target, never)).rejects.toMatchObject({ code: 'TENANCY_NAME_TAKEN' });
      await sql(`CREATE TABLE \`${target.name}\`.t (id int)`);
      expect(await tenants.driver.probe(target)).toEqual({ status: 'unmarked', isEmpty: false });
      await expect(tenants.driver.drop(target, never)).rejects.toMatchObject({ code: 'TENANCY_DROP_REFUSED' });
    });

    it('leaves no rights behind, also where somebody dropped it by hand', async () => {
      const target = await newTenant();
      const user = await createUser('orphan', `SELECT ON \`${target.name.replaceAll('_', '\\_')}\`.*`);
      expect(await tenants.driver.sweepLeft?.(target, never)).toEqual({ removed: [], left: [] });
      await sql(`DROP DATABASE \`${target.name}\``);
      await sql(`DELETE FROM _tenancy.homes WHERE name = '${target.name}'`);
      expect(await tenants.driver.drop(target, never)).toBe('absent');
      expect(await tenants.driver.sweepLeft?.(target, never)).toEqual({ removed: [expect.stringContaining(target.name)], left: [] });
      expect(await grantsOf(user)).toEqual([]);
    });

    it('is dropped to the end, also behind the database itself', async () => {
      const target = await newTenant();
      const user = await createUser('late', `SELECT ON \`${target.name}\`.*`);
      await sql(`UPDATE _tenancy.homes SET state = 'dropping' WHERE name = '${target.name}'`);
      expect(await tenants.driver.probe(target)).toEqual({ status: 'partial', isEmpty: true });
      await expect(tenants.driver.create(target, never)).rejects.toMatchObject({ code: 'TENANCY_NAME_TAKEN' });
      expect(await tenants.driver.cutAccess(target, never)).toMatchObject({ isEnforced: true });
      await sql(`DROP DATABASE \`${target.name}\``);
      expect(await tenants.driver.probe(target)).toEqual({ status: 'partial', isEmpty: true });
      // As the next attempt does it.
      expect(await tenants.driver.planDrop(target)).toEqual([]);
      expect(await tenants.driver.cutAccess(target, never)).toMatchObject({ isEnforced: true });
      expect(await tenants.driver.drop(target, never)).toBe('absent');
      expect(await grantsOf(user)).toEqual([]);
      expect(await tenants.driver.probe(target)).toEqual({ status: 'absent' });
    });
  });

  describe('drop', () => {
    it('takes everything there can be in a database, though others use it', async () => {
      const target = await newTenant();
      const inside = await createConnection({ uri: tenants.database.url, database: target.name, multipleStatements: true });
      await inside.query(`
        CREATE TABLE parent (id int PRIMARY KEY) ENGINE = InnoDB; CREATE TABLE child (id int, FOREIGN KEY (id) REFERENCES parent (id));
        CREATE VIEW v AS SELECT id FROM child; CREATE SEQUENCE s; CREATE TABLE \`odd\`\`name;\` (id int);
        CREATE PROCEDURE p() SELECT 1; CREATE FUNCTION f() RETURNS int RETURN 1;
        CREATE TRIGGER tr BEFORE INSERT ON child FOR EACH ROW SET NEW.id = 1; CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1`);
      for (let at = 0; at < 120; at++) await inside.query(`CREATE TABLE t_${at} (id int) ENGINE = MEMORY`);
      await inside.query('START TRANSACTION; INSERT INTO parent VALUES (7)');
      inside.on('error', () => {});
      expect(await tenants.driver.drop(target, never)).toBe('dropped');
      await expect(inside.query('SELECT 1')).rejects.toThrow();
      expect(await ledger(target)).toEqual([]);
    });

    it('refuses what would leave foreign keys of others pointing at nothing', async () => {
      const [a, b] = [await newTenant(), await newTenant()];
      await sql(`CREATE TABLE \`${a.name}\`.parent (id int PRIMARY KEY)`);
      await sql(`CREATE TABLE \`${b.name}\`.child (id int, CONSTRAINT reaches FOREIGN KEY (id) REFERENCES \`${a.name}\`.parent (id))`);
      expect(await tenants.driver.planDrop(a)).toEqual([expect.stringContaining('reaches')]);
      await expect(tenants.driver.drop(a, never)).rejects.toMatchObject({ code: 'TENANCY_DROP_REFUSED' });
      expect(await tenants.driver.drop(b, never)).toBe('dropped');
      expect(await tenants.driver.drop(a, never)).toBe('dropped');
    });

    it('takes rights on exactly this database, however written, and leaves those that cover others', async () => {
      const a = home('a_b');
      const b = home('aXb');
      for (const target of [a, b]) await tenants.driver.create(target, never);
      const escaped = (name: string): string => name.replaceAll('_', '\\_');
      await sql(`CREATE TABLE \`${a.name}\`.t (id int)`);
      await sql(`CREATE PROCEDURE \`${a.name}\`.p() SELECT 1`);
      const own = await createUser(
        'own',
        `ALL PRIVILEGES ON \`${escaped(a.name)}\`.*`,
        `SELECT ON \`${a.name}\`.*`,
        `INSERT ON \`${a.name}\`.t`,
        `EXECUTE ON PROCEDURE \`${a.name}\`.p`,
        `DELETE ON \`${a.name.replace('_', '\\_')}\`.*`,
      );
      await sql(`GRANT UPDATE ON \`${escaped(a.name)}\`.* TO '${own}'@'%' WITH GRANT OPTION`);
      const other = await createUser(
        'other',
        `SELECT ON \`${escaped(b.name)}\`.*`,
        `SELECT ON \`${escaped(tenants.database.name)}\\_%\`.*`,
      );
      const before = await grantsOf(other);
      expect(await tenants.driver.drop(a, never)).toBe('dropped');
      expect(await grantsOf(own)).toEqual([]);
      expect(await grantsOf(other)).toEqual(before);
      await sql(`DROP USER '${other}'@'%'`);
      await tenants.driver.create(a, never);
      await expect(connect(own, a.name)).rejects.toMatchObject({ code: 'ER_DBACCESS_DENIED_ERROR' });
    });

    it('leaves the sessions of databases alone whose names differ in case or accents', async () => {
      const target = home('cafe');
      await tenants.driver.create(target, never);
      const others = await Promise.all(
        [home('CAFE'), home('café')].map(async ({ name }) => {
          await sql(`CREATE DATABASE \`${name}\``);
          const connection = await createConnection({ uri: tenants.database.url, database: name });
          await connection.query(`USE \`${name}\``);
          return connection.on('error', () => undefined);
        }),
      );
      try {
        expect(await tenants.driver.drop(target, never)).toBe('dropped');
        for (const other of others) await expect(other.query('SELECT 1')).resolves.toBeDefined();
      } finally {
        for (const other of others) await other.end().catch(() => undefined);
      }
    });

    it('goes on where another process stands still with the lock', async () => {
      const target = await newTenant();
      const zombie = await createConnection({ uri: tenants.database.url });
      zombie.on('error', () => undefined);
      await zombie.query('SELECT GET_LOCK(?, 0)', [lockName('home', target.name)]);
      expect(await tenants.driver.drop(target, never)).toBe('dropped');
      await expect(zombie.query('SELECT 1')).rejects.toThrow();
      zombie.destroy();
    }, 20_000);

    it('leaves no rights to the next home of the name, where the last one went behind our back', async () => {
      const target = await newTenant();
      const user = await createUser('former', `SELECT ON \`${target.name}\`.*`);
      await sql(`DROP DATABASE \`${target.name}\``);
      expect(await tenants.driver.probe(target)).toEqual({ status: 'absent' });
      await tenants.driver.create({ ...target, marker: { ...target.marker, operation: 'the next' } }, never);
      expect(await grantsOf(user)).toEqual([]);
    });

    it('drops the logins that the ledger has for the home, and no others', async () => {
      const target = await newTenant();
      const [mine, others] = [
        await createUser('mine', `SELECT ON \`${target.name}\`.*`),
        await createUser('others', `SELECT ON \`${target.name}\`.*`),
      ];
      await sql(`INSERT INTO _tenancy.accounts (home, user) VALUES ('${target.name}', '${mine}')`);
      await tenants.driver.drop(target, never);
      expect(await sql(`SELECT User FROM mysql.user WHERE User IN ('${mine}', '${others}')`)).toEqual([{ User: others }]);
      expect(await sql(`SELECT 1 FROM _tenancy.accounts WHERE home = '${target.name}'`)).toEqual([]);
    });
  });

  describe('access', () => {
    it('is taken from those who were given it, with their sessions, and given back as it was', async () => {
      const target = await newTenant();
      const user = await createUser('app', `SELECT, INSERT ON \`${target.name}\`.*`);
      await sql(`GRANT UPDATE ON \`${target.name}\`.* TO '${user}'@'%' WITH GRANT OPTION`);
      const before = await grantsOf(user);
      const session = await connect(user, target.name);
      session.on('error', () => {});
      expect(await tenants.driver.planCutAccess(target)).toEqual({ isEnforced: true, detail: expect.stringContaining(`${user}@%`) });
      expect(await grantsOf(user)).toEqual(before);
      for (let time = 0; time < 2; time++) {
        expect(await tenants.driver.cutAccess(target, never)).toEqual({ isEnforced: true, detail: expect.stringContaining(`${user}@%`) });
        await expect(session.query('SELECT * FROM _tenancy_state')).rejects.toThrow();
        await expect(connect(user, target.name)).rejects.toThrow();
        expect(await grantsOf(user)).toEqual([]);
      }
      expect(await tenants.driver.restoreAccess(target, never)).toMatchObject({ isEnforced: true });
      expect(await grantsOf(user)).toEqual(before);
      await (await connect(user, target.name)).end();
      expect(await tenants.driver.restoreAccess(target, never)).toEqual({ isEnforced: false, detail: 'nothing had been taken away' });
    });

    it('is told not to be enforced where a grant on a pattern covers the database, which stays as it is', async () => {
      const target = await newTenant();
      const app = await createUser('its', `SELECT ON \`${target.name.replaceAll('_', '\\_')}\`.*`);
      const reporting = await createUser('reporting', `SELECT ON \`${target.name.slice(0, -1).replaceAll('_', '\\_')}_\`.*`);
      const before = await grantsOf(reporting);
      const told = { isEnforced: false, detail: expect.stringContaining(`${reporting}@% may still use it`) };
      expect(await tenants.driver.planCutAccess(target)).toEqual(told);
      expect(await tenants.driver.cutAccess(target, never)).toEqual(told);
      expect(await grantsOf(reporting)).toEqual(before);
      await (await connect(reporting, target.name)).end();
      await expect(connect(app, target.name)).rejects.toThrow();
    });

    it('is told not to be enforced where a login may use all databases', async () => {
      const target = await newTenant();
      expect(await tenants.driver.cutAccess(target, never)).toMatchObject({ isEnforced: false });
      const stranger = { ...target, marker: { ...target.marker, tenant: 'globex' } };
      await expect(tenants.driver.cutAccess(stranger, never)).rejects.toMatchObject({ code: 'TENANCY_ACCESS_REFUSED' });
    });
  });

  it('are given up on an abort where nothing gets through any more', async () => {
    const target = await newTenant();
    const url = new URL(tenants.database.url);
    url.pathname = '/';
    const proxy = await createMysqlProxy(url.href);
    const options = { cluster: 'main', url: proxy.url, maxConnections: 2, extensionsSchema: 'extensions', applicationName: 'contract' };
    const engine = await openClusterEngine(options);
    const driver = engine.driver('mysql-database');
    // One stays idle, over which a statement would be killed.
    await Promise.all([driver.probe(target), driver.probe(target)]);
    const abort = new AbortController();
    const session = { fence: 1, runId: null, lockTimeoutMs: 1_000, statementTimeoutMs: null, signal: abort.signal };
    const running = driver.withSession(target, session, async ({ db }) => {
      await db.query('SELECT 1');
      proxy.setBlackHole(true);
      setTimeout(() => abort.abort(new Error('stopped')), 50);
      await db.query('SELECT SLEEP(1)');
    });
    await expect(running).rejects.toThrow('stopped');
    await engine.close();
    await proxy.close();
  }, 25_000);

  it('take back a session that was left in a transaction, and say so', async () => {
    const target = await newTenant();
    const options = { fence: 1, runId: null, lockTimeoutMs: 1_000, statementTimeoutMs: null, signal: never };
    await sql(`CREATE TABLE \`${target.name}\`.t (id int)`);
    await expect(
      tenants.driver.withSession(target, options, ({ db }) => db.query('START TRANSACTION; INSERT INTO t VALUES (1)')),
    ).rejects.toMatchObject({ code: 'TENANCY_TRANSACTION_LEFT_OPEN' });
    expect(await sql(`SELECT * FROM \`${target.name}\`.t`)).toEqual([]);
  });

  it('are found by a URL and a command of their own', async () => {
    const target = home('täg-lich');
    const url = tenants.driver.connectionUrl(target);
    expect(decodeURIComponent(new URL(url).pathname)).toBe(`/${target.name}`);
    expect(tenants.driver.clientCommand(target, 'mysql://me:***@db:3307/a_b?ssl-mode=REQUIRED')).toBe(
      'mysql --host db --port 3307 --user me --ssl --database a_b -p',
    );
  });

  it('are on a server that says what it is and what is missing', async () => {
    expect(await tenants.engine.readIdentity()).toMatch(/\S+/);
    expect(await tenants.engine.readIdentity()).toBe(await tenants.engine.readIdentity());
    const facts = await tenants.engine.readFacts();
    expect(facts.version).toMatch(/^\d+\.\d+.*(MariaDB)?/);
    expect(facts.maxConnections).toBeGreaterThan(1);
    expect(facts.privileges.filter(({ isGranted }) => !isGranted)).toEqual([]);
  });

  it('are not made by a login that may not, which is told what it lacks', async () => {
    const database = await createTestMysql();
    const user = `${database.name}_weak`;
    await database.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'canary-pw'`);
    await database.query(`GRANT PROCESS ON *.* TO '${user}'@'%' WITH MAX_USER_CONNECTIONS 3`);
    const url = new URL(database.url);
    url.username = user;
    url.password = 'canary-pw';
    url.pathname = '/';
    const engine = await openClusterEngine({
      cluster: 'main',
      url: url.href,
      maxConnections: 1,
      extensionsSchema: 'x',
      applicationName: 'contract',
    });
    const target = { name: `${database.name}_no`, marker: { tenant: 'a', registry: 'r', operation: 'o' } };
    await expect(engine.driver('mysql-database').create(target, never)).rejects.toMatchObject({
      code: 'TENANCY_CREATE_FORBIDDEN',
      message: expect.stringContaining(`${user}@% lacks CREATE`),
    });
    // Its URL is shown without the password, which the client then has to ask for.
    expect(engine.driver('mysql-database').clientCommand(target, `mysql://${user}@db/x`)).toMatch(/ --database x -p$/);
    const facts = await engine.readFacts();
    expect(facts.connectionLimits).toMatchObject([{ most: 3, inUse: 1 }]);
    expect(facts.privileges.find(({ privilege }) => privilege === 'CREATE')).toMatchObject({
      isGranted: false,
      hint: `GRANT CREATE ON *.* TO '${user}'@'%'`,
    });
    await engine.close();
    await database.drop();
  });

  it('take their rights along on a server that writes all names in lower case', async () => {
    const server = await startPrivateMariadb({ lower_case_table_names: '1' });
    const options = { cluster: 'main', url: server.url, maxConnections: 2, extensionsSchema: 'extensions', applicationName: 'contract' };
    const engine = await openClusterEngine(options);
    try {
      const driver = engine.driver('mysql-database');
      const target: TenantTarget = { name: 'Acme_1', marker: { tenant: 'Acme', registry: 'registry-1', operation: 'operation-1' } };
      expect(await driver.create(target, never)).toBe('created');
      await queryMysql(server.url, 'CREATE USER former');
      await queryMysql(server.url, 'GRANT SELECT ON `Acme\\_1`.* TO former');
      expect(await driver.cutAccess(target, never)).toMatchObject({ isEnforced: true });
      await driver.restoreAccess(target, never);
      expect(await driver.drop(target, never)).toBe('dropped');
      expect(await queryMysql(server.url, "SELECT Db FROM mysql.db WHERE User = 'former'")).toEqual([]);
    } finally {
      await engine.close();
      await server.stop();
    }
  }, 60_000);

  it('are told and retained by a ledger of before it said which operation has closed one', async () => {
    const server = await startPrivateMariadb();
    const options = { cluster: 'main', url: server.url, maxConnections: 2, extensionsSchema: 'extensions', applicationName: 'contract' };
    const engines = [await openClusterEngine(options), await openClusterEngine(options)];
    const [first, later] = engines.map((engine) => engine.driver('mysql-database'));
    const target = { name: 'acme_1', marker: { tenant: 'acme', registry: 'registry-1', operation: 'operation-1' } };
    try {
      await first?.create(target, never);
      await queryMysql(server.url, 'ALTER TABLE _tenancy.homes DROP COLUMN retained, DROP COLUMN undeleted');
      await queryMysql(server.url, "UPDATE _tenancy.homes SET state = 'retained'");
      expect(await later?.probe(target)).toEqual({ status: 'retained', by: null });
      await later?.retain(target, 'op-1', never);
      expect(await later?.probe(target)).toEqual({ status: 'retained', by: 'op-1' });
    } finally {
      for (const engine of engines) await engine.close();
      await server.stop();
    }
  }, 60_000);

  it('are on a cluster that can not be reached, in words', async () => {
    const open = (url: string): ReturnType<typeof openClusterEngine> =>
      openClusterEngine({ cluster: 'main', url, maxConnections: 1, extensionsSchema: 'x', applicationName: 'contract' });
    const describeFor = async (url: string): Promise<string | undefined> => {
      const engine = await open(url);
      const error = await engine.readFacts().catch((thrown: unknown) => thrown);
      await engine.close();
      return engine.describeUnreachable(error)?.message;
    };
    const wrong = new URL(tenants.database.url);
    wrong.username = 'nobody_at_all';
    wrong.password = 'canary-wrong';
    const told = await describeFor(wrong.href);
    expect(told).toMatch(/the login was not accepted/);
    expect(told).not.toContain('canary-wrong');
    expect(await describeFor('mysql://root@127.0.0.1:1/')).toMatch(/ECONNREFUSED/);
    await expect(open('mysql://root@127.0.0.1/?nonsense=1')).rejects.toMatchObject({ code: 'TENANCY_CLUSTER_URL_REJECTED' });
    await expect(open('postgres:x').then(({ driver }) => driver('mysql-database'))).rejects.toBeDefined();
    expect(() => tenants.engine.driver('postgres-schema')).toThrow(/MySQL/);
  });
});
