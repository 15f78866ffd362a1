import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ClusterEngine, SessionOptions, TenantSession, TenantTarget } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import { openConnection, type ServerConnection } from '../../src/drivers/mysql/connection.js';
import { probeEffect, readEffect, signatureOf } from '../../src/drivers/mysql/migrate/statement-effect.js';
import { historyDigest } from '../../src/migrations/history-digest.js';
import type { LocalMigration } from '../../src/migrations/migration.js';
import { parseMysqlScript } from '../../src/migrations/sql/mysql/script.js';
import { parseMysqlUrl } from '../../src/util/mysql-url.js';
import { suiteOn } from '../rig/require.js';
import { countedRows, useMysqlTenants } from './migrate-mysql-rig.js';
import { applyOptions, moduleMigration, sqlMigration } from './migrate-rig.js';

const first = countedRows('a');
const afterFirst = (): ReturnType<typeof applyOptions> => applyOptions({ expectedDigest: historyDigest([first]) });

/** Between a client and the server, to be cut as a kill of the client cuts it. */
async function createRelay(url: string): Promise<{ url: string; cut(): void; close(): Promise<void> }> {
  const target = new URL(url);
  const sockets = new Set<net.Socket>();
  const keep = (socket: net.Socket): net.Socket => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    return socket;
  };
  const server = net.createServer((client) => {
    const upstream = keep(net.connect(Number(target.port || 3306), target.hostname));
    keep(client).pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const own = new URL(url);
  own.host = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  return {
    url: own.href,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

suiteOn('mariadb')('a migration of MySQL that is interrupted', {}, () => {
  const tenants = useMysqlTenants();
  const { withSession, query, newTenant } = tenants;
  let relay: Awaited<ReturnType<typeof createRelay>>;
  let relayed: ClusterEngine;
  let connection: ServerConnection;
  beforeAll(async () => {
    relay = await createRelay(tenants.database.url);
    relayed = await openClusterEngine({
      cluster: 'main',
      url: relay.url,
      maxConnections: 2,
      extensionsSchema: 'extensions',
      applicationName: 'contract',
    });
    const address = parseMysqlUrl(tenants.database.url);
    if (address === null) throw new Error('no address');
    connection = await openConnection({ address, applicationName: 'contract' }, () => {});
  });
  afterAll(async () => {
    await connection.close();
    await relayed.close();
    await relay.close();
  });

  const begun = async (): Promise<TenantTarget> => {
    const target = await newTenant();
    await withSession(target, (session) => session.applyMigrations([first], applyOptions()));
    return target;
  };
  const options = { fence: 1, runId: 'run-1', lockTimeoutMs: 2_000, statementTimeoutMs: null };
  interface Started {
    readonly id: number;
    readonly failed: Promise<unknown>;
  }
  /** Through the relay; resolves when the server shows the text as what it is at. */
  async function start(target: TenantTarget, migration: LocalMigration, shown: RegExp): Promise<Started> {
    let id = 0;
    const signal = new AbortController().signal;
    const running = relayed.driver('mysql-database').withSession(target, { ...options, signal }, async (session) => {
      id = await connectionOf(session);
      await session.applyMigrations([migration], afterFirst());
    });
    const failed = running.catch((error: unknown) => error);
    while (!shown.test((await processInfo(id)) ?? '')) await delay(5);
    return { id, failed };
  }
  /** As the next command does it: on a history that has moved it plans anew, and finds it done. */
  async function converge(target: TenantTarget, migration: LocalMigration): Promise<void> {
    await again(target, migration).catch((error: unknown) => expect(error).toMatchObject({ code: 'TENANCY_HISTORY_MOVED' }));
    await withSession(target, async (session) =>
      expect(await session.readHistory()).toMatchObject({ progress: null, applied: [{ name: 'a' }, { name: 'b' }] }),
    );
  }
  async function connectionOf(session: TenantSession): Promise<number> {
    return Number((await session.db.query<{ id: number }>('SELECT CONNECTION_ID() AS id')).rows[0]?.id);
  }
  async function processInfo(id: number): Promise<string | undefined> {
    const rows = await tenants.database.query<{ info: string | null }>(
      `SELECT INFO AS info FROM information_schema.PROCESSLIST WHERE ID = ${id}`,
    );
    return rows[0]?.info ?? undefined;
  }
  const again = (target: TenantTarget, migration: LocalMigration, more: Partial<SessionOptions> = {}): Promise<unknown> =>
    withSession(target, (session) => session.applyMigrations([migration], afterFirst()), { fence: 2, lockTimeoutMs: 20_000, ...more });
  const counts = async (target: TenantTarget): Promise<string[]> =>
    (await query<{ name: string }>(target, 'SELECT name FROM @@counts ORDER BY name')).map(({ name }) => name);
  async function fill(target: TenantTarget): Promise<void> {
    await query(target, 'CREATE TABLE @@big (id int PRIMARY KEY AUTO_INCREMENT, text varchar(200))');
    // Not from information_schema, which fails where a table of somebody else's is just being altered.
    const digits = `(SELECT ${Array.from({ length: 10 }, (_, digit) => `${digit} AS n`).join(' UNION ALL SELECT ')})`;
    const many = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${digits} ${name}`).join(' JOIN ');
    await query(target, `INSERT INTO @@big (text) SELECT REPEAT('x', 150) FROM ${many} LIMIT 150000`);
  }
  const altering = sqlMigration(
    'b',
    "INSERT INTO counts VALUES ('b', 1);\nALTER TABLE big ADD COLUMN n int, ALGORITHM=COPY;\nINSERT INTO counts VALUES ('b2', 1);",
  );

  it('waits for the ALTER that a dead client has left running, and goes on behind it', async () => {
    const target = await begun();
    await fill(target);
    const { failed } = await start(target, altering, /ALTER TABLE big/);
    relay.cut();
    expect(await failed).toBeInstanceOf(Error);
    await expect(again(target, altering, { lockTimeoutMs: 1 })).rejects.toMatchObject({ code: 'TENANCY_TENANT_BUSY' });
    await converge(target, altering);
    expect(await counts(target)).toEqual(['a', 'b', 'b2']);
    expect(await query(target, "SHOW COLUMNS FROM @@big LIKE 'n'")).toHaveLength(1);
  });

  it('sends an ALTER again that was killed on its way', async () => {
    const target = await begun();
    await fill(target);
    const { id, failed } = await start(target, altering, /ALTER TABLE big/);
    await tenants.database.query(`KILL ${id}`);
    expect(await failed).toBeInstanceOf(Error);
    await withSession(target, async (session) =>
      expect((await session.readHistory()).progress).toMatchObject({ name: 'b', statementsDone: 1, state: 'started' }),
    );
    await again(target, altering);
    expect(await counts(target)).toEqual(['a', 'b', 'b2']);
  });

  it('does rows that were under way again, and none twice', async () => {
    const target = await begun();
    const rows = sqlMigration('b', "INSERT INTO counts VALUES ('b', 1);\nSELECT SLEEP(2);\nINSERT INTO counts VALUES ('b2', 1);");
    const { failed } = await start(target, rows, /SLEEP/);
    relay.cut();
    await failed;
    await converge(target, rows);
    expect(await counts(target)).toEqual(['a', 'b', 'b2']);
  });

  it('asks a person where nothing tells, and takes either answer', async () => {
    const call = sqlMigration(
      'b',
      "CREATE PROCEDURE slow() BEGIN INSERT INTO counts VALUES ('slow', 1); DO SLEEP(2); END;\nCALL slow();\nINSERT INTO counts VALUES ('b', 1);",
    );
    for (const [answer, expected] of [
      ['applied', ['a', 'b', 'slow']],
      ['rerun', ['a', 'b', 'slow', 'slow']],
    ] as const) {
      const target = await begun();
      // Not the statement that makes the procedure, whose text has it too.
      const { id, failed } = await start(target, call, /^DO SLEEP/);
      await tenants.database.query(`KILL ${id}`);
      await failed;
      await expect(again(target, call)).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_UNKNOWN',
        details: { migration: 'b', line: 2, statement: expect.stringContaining('CALL slow()') },
      });
      await withSession(target, (session) => session.resolveProgress(answer), { fence: 2 });
      await again(target, call);
      expect(await counts(target)).toEqual(expected);
    }
  });

  it('treats rows of a table without transactions as it treats what nothing tells of', async () => {
    const target = await begun();
    await query(target, 'CREATE TABLE @@plain (name varchar(20)) ENGINE = MyISAM');
    const rows = sqlMigration(
      'b',
      "INSERT INTO counts VALUES ('b', 1);\nINSERT INTO plain SELECT CONCAT('x', SLEEP(2));\nINSERT INTO counts VALUES ('b2', 1);",
    );
    const { id, failed } = await start(target, rows, /SLEEP/);
    await tenants.database.query(`KILL ${id}`);
    await failed;
    await expect(again(target, rows)).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_UNKNOWN', details: { line: 2 } });
    await withSession(target, (session) => session.resolveProgress('applied'), { fence: 2 });
    await again(target, rows);
    expect(await counts(target)).toEqual(['a', 'b', 'b2']);
    expect(await query(target, 'SELECT * FROM @@plain')).toHaveLength(0);
  });

  it('sets again what the session of the first attempt had set', async () => {
    const target = await begun();
    const script = sqlMigration(
      'b',
      "SET @what = 'b';\nCREATE TABLE b (id int);\nSET @other := CONCAT(@what, '2');\nALTER TABLE nowhere ADD x int;\nINSERT INTO counts SELECT CONCAT(@what, @other), 1;",
    );
    await withSession(target, (session) =>
      expect(session.applyMigrations([script], afterFirst())).rejects.toMatchObject({ details: { line: 4 } }),
    );
    await query(target, 'CREATE TABLE @@nowhere (id int)');
    await again(target, script);
    expect(await counts(target)).toEqual(['a', 'bb2']);
  });

  it.each([
    ['SET @id = LAST_INSERT_ID()', '@id', '@id'],
    ['SELECT MAX(id) INTO @id FROM parents', '@id', '@id'],
    ['SELECT @id := MAX(id) FROM parents', '@ID', '@id'],
    ['SET @first = (SELECT MIN(id) FROM parents); SET @id = @first; SET @id = @id + 1', '@id', '@id'],
    ['SET @at = NOW(6); SET @id = CONCAT(@at, 1)', '@id', '@id'],
    ['DO 1', 'LAST_INSERT_ID()', 'LAST_INSERT_ID()'],
  ])('goes on with no value that only its session knew: %s', async (set, needed, told) => {
    const target = await begun();
    const head = `CREATE TABLE parents (id int AUTO_INCREMENT PRIMARY KEY);\nCREATE TABLE children (parent varchar(40));\nINSERT INTO parents VALUES (7);\n${set};\nALTER TABLE nowhere ADD x int;\n`;
    const script = sqlMigration('b', `${head}INSERT INTO children VALUES (${needed});`);
    await withSession(target, (session) =>
      expect(session.applyMigrations([script], afterFirst())).rejects.toMatchObject({ details: { line: 5 } }),
    );
    await query(target, 'CREATE TABLE @@nowhere (id int)');
    await expect(again(target, script)).rejects.toMatchObject({
      code: 'TENANCY_MIGRATION_PROGRESS_DRIFTED',
      details: { reason: expect.stringMatching(new RegExp(`${told.replace('()', '\\(\\)')}, which line 6`)) },
    });
    expect(await query(target, 'SELECT * FROM @@children')).toEqual([]);
    const mended = sqlMigration('b', `${head}SET @id = 7;\nINSERT INTO children VALUES (@id);`);
    await again(target, mended);
    expect(await query(target, 'SELECT * FROM @@children')).toEqual([{ parent: '7' }]);
  });

  it('goes back no further in a rollback whose statements were edited since', async () => {
    const target = await newTenant();
    const withDown = (down: string): LocalMigration => sqlMigration('b', 'CREATE TABLE b1 (id int); CREATE TABLE b2 (id int);', down);
    const script = withDown('DROP TABLE b1; DROP TABLE nowhere; DROP TABLE b2;');
    await withSession(target, (session) => session.applyMigrations([script], applyOptions()));
    const planned = { expectedDigest: historyDigest([script]) };
    await withSession(target, (session) =>
      expect(session.revertMigrations([script], applyOptions(planned))).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_FAILED' }),
    );
    const edited = withDown('CREATE TABLE kept (id int); DROP TABLE b1; DROP TABLE b2;');
    await withSession(target, (session) =>
      expect(session.revertMigrations([edited], applyOptions(planned))).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_PROGRESS_DRIFTED',
        hint: expect.stringContaining('migrations/b.down.sql'),
      }),
    );
    const mended = withDown('DROP TABLE b1; DROP TABLE b2;');
    await withSession(target, (session) => session.revertMigrations([mended], applyOptions(planned)));
    await withSession(target, async (session) => expect(await session.readHistory()).toMatchObject({ applied: [], progress: null }));
  });

  it('ends an owner that stands still with the lock, and whose lease is over', async () => {
    const target = await begun();
    let isReached: () => void = () => {};
    const reached = new Promise<void>((resolve) => {
      isReached = resolve;
    });
    const standing = moduleMigration('b', async () => {
      isReached();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
    });
    const zombie = withSession(target, (session) => session.applyMigrations([standing], afterFirst()), { fence: 1 });
    const failed = expect(zombie).rejects.toThrow();
    await reached;
    const module = { ...standing, up: { ...standing.up, run: async () => {} } as LocalMigration['up'] };
    await expect(again(target, module)).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_UNKNOWN' });
    await failed;
    await withSession(target, (session) => session.resolveProgress('rerun'), { fence: 2 });
    await again(target, module);
    await withSession(target, async (session) => expect((await session.readHistory()).applied).toHaveLength(2));
  });

  it.each([
    ['CREATE TABLE made (id int)', null],
    ['CREATE TABLE made AS SELECT * FROM counts', null],
    ['DROP TABLE t_a', null],
    ['DROP TABLE t_a, counts', null],
    ['ALTER TABLE t_a ADD COLUMN b int', null],
    ['ALTER TABLE t_a MODIFY id bigint', null],
    ['ALTER TABLE t_a CHANGE id other int', null],
    ['ALTER TABLE t_a RENAME COLUMN id TO other', null],
    ['ALTER TABLE t_a ADD COLUMN b int, ADD INDEX i (id), ADD CONSTRAINT c CHECK (id > 0)', null],
    ['ALTER TABLE t_a DROP INDEX i', 'ALTER TABLE t_a ADD INDEX i (id)'],
    ['ALTER TABLE t_a RENAME TO t_b', null],
    [
      'ALTER TABLE child DROP FOREIGN KEY f',
      'CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE child (p int, CONSTRAINT f FOREIGN KEY (p) REFERENCES p (id))',
    ],
    ['CREATE UNIQUE INDEX i ON t_a (id)', null],
    ['DROP INDEX i ON t_a', 'CREATE INDEX i ON t_a (id)'],
    ['RENAME TABLE t_a TO t_b, counts TO counts2', null],
    ['CREATE VIEW v AS SELECT id FROM t_a', null],
    ['DROP VIEW v', 'CREATE VIEW v AS SELECT 1'],
    ['CREATE PROCEDURE p() BEGIN SELECT 1; END', null],
    ['DROP PROCEDURE p', 'CREATE PROCEDURE p() SELECT 1'],
    ['CREATE DEFINER = CURRENT_USER FUNCTION f() RETURNS int RETURN 1', null],
    ['CREATE TRIGGER tr BEFORE INSERT ON t_a FOR EACH ROW SET NEW.id = 1', null],
    ['DROP TRIGGER tr', 'CREATE TRIGGER tr BEFORE INSERT ON t_a FOR EACH ROW SET NEW.id = 1'],
    ['CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1', null],
    ['DROP EVENT e', 'CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1'],
    ['CREATE SEQUENCE s', null],
  ])('tells by the catalogue whether it was at, or behind, %s', async (statement, before) => {
    const target = await begun();
    await connection.send(`USE \`${target.name}\`; ${before ?? 'SELECT 1'}`);
    const [parsed] = parseMysqlScript(statement).statements;
    if (parsed === undefined) throw new Error('no statement');
    const effect = readEffect(statement, parsed);
    const [answer] = await connection.send(`SELECT ${await signatureOf(connection, effect)} AS signature`);
    const signature = String(answer?.rows[0]?.signature);
    expect(await probeEffect(connection, effect, signature)).toBe('again');
    await connection.send(statement);
    expect(await probeEffect(connection, effect, signature)).toBe('done');
  });

  it.each([
    ['RENAME TABLE one TO swap, two TO one, swap TO two', 'unknown'],
    ['ALTER TABLE t_a EXCHANGE PARTITION p WITH TABLE u', 'unknown'],
    ['CREATE TABLE IF NOT EXISTS t_a (id int)', 'again'],
    ['DROP TABLE IF EXISTS t_a', 'again'],
    ['TRUNCATE t_a', 'again'],
    ['CREATE OR REPLACE VIEW v AS SELECT 1', 'again'],
    ['OPTIMIZE TABLE t_a', 'again'],
    ['INSTALL SONAME "x"', 'unknown'],
  ])('%s is %s where nothing has changed', async (statement, finding) => {
    const target = await begun();
    await connection.send(`USE \`${target.name}\`; CREATE TABLE one (id int); CREATE TABLE two (id int)`);
    const [parsed] = parseMysqlScript(statement).statements;
    if (parsed === undefined) throw new Error('no statement');
    const effect = readEffect(statement, parsed);
    const [answer] = await connection.send(`SELECT ${await signatureOf(connection, effect)} AS signature`);
    const signature = answer?.rows[0]?.signature;
    expect(await probeEffect(connection, effect, signature === null ? null : String(signature))).toBe(finding);
  });
});
