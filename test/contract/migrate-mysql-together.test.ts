import { expect, it } from 'vitest';
import type { TenantSession } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import { historyDigest } from '../../src/migrations/history-digest.js';
import type { LocalMigration, TenantDb } from '../../src/migrations/migration.js';
import { createMysqlProxy } from '../rig/mysql-proxy.js';
import { suiteOn } from '../rig/require.js';
import { countedRows, useMysqlTenants } from './migrate-mysql-rig.js';
import { applyOptions, moduleMigration, sqlMigration } from './migrate-rig.js';

const names = async (session: TenantSession): Promise<string[]> => (await session.readHistory()).applied.map(({ name }) => name);
const counted = (name: string): LocalMigration => sqlMigration(name, `INSERT INTO counts VALUES ('${name}', 1);`);
const tables = (count: number): LocalMigration[] =>
  Array.from({ length: count }, (_, index) =>
    sqlMigration(`t${index}`, `CREATE TABLE t${index} (id int);\nINSERT INTO t${index} VALUES (1);`),
  );

suiteOn('mariadb')('migrations of a new tenant on MySQL', {}, () => {
  const tenants = useMysqlTenants();
  const { withSession, query, newTenant } = tenants;

  it('are one message as far as can be, and those of an older one are a message each', async () => {
    const target = await newTenant();
    const sent: string[] = [];
    const proxy = await createMysqlProxy(new URL('/', tenants.database.url).href, {
      onRequest: ({ phase, sql }) => {
        if (phase === 'before') sent.push(sql);
        return 'forward';
      },
    });
    const engine = await openClusterEngine({
      cluster: 'main',
      url: proxy.url,
      maxConnections: 2,
      extensionsSchema: 'extensions',
      applicationName: 'contract',
    });
    const apply = async (steps: readonly LocalMigration[], before: readonly LocalMigration[]): Promise<number> => {
      const options = applyOptions({ expectedDigest: historyDigest(before) });
      const session = { fence: 1, runId: 'run-1', lockTimeoutMs: 5_000, statementTimeoutMs: null, signal: new AbortController().signal };
      sent.length = 0;
      await engine.driver('mysql-database').withSession(target, session, (open) => open.applyMigrations(steps, options));
      expect(options.seen).toEqual(steps.map(({ name }) => name));
      return sent.filter((sql) => sql.includes('CREATE TABLE t')).length;
    };
    const all = tables(43);
    try {
      expect(await apply(all.slice(0, 40), [])).toBe(1);
      expect(await apply(all.slice(40), all.slice(0, 40))).toBe(3);
    } finally {
      await engine.close();
      await proxy.close();
    }
    await withSession(target, async (session) => expect(await names(session)).toEqual(all.map(({ name }) => name)));
    expect(await query(target, 'SELECT (SELECT COUNT(*) FROM @@t0) + (SELECT COUNT(*) FROM @@t42) AS n')).toEqual([{ n: 2 }]);
  });

  it('stop at the one that fails: those before it are done and told, and it is gone on with', async () => {
    const target = await newTenant();
    const broken = sqlMigration('c', "CREATE TABLE c (id int);\nINSERT INTO counts VALUES ('c', 1);\nINSERT INTO nowhere VALUES (1);");
    const rest = [counted('d'), counted('e')];
    const options = applyOptions();
    await withSession(target, async (session) => {
      await expect(session.applyMigrations([countedRows('a'), counted('b'), broken, ...rest], options)).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
        details: { migration: 'c', file: 'migrations/c.sql', line: 3 },
      });
      expect(options.seen).toEqual(['a', 'b']);
      expect(await session.readHistory()).toMatchObject({
        applied: [{ name: 'a' }, { name: 'b' }],
        progress: { name: 'c', statementsDone: 1, state: 'between' },
      });
    });
    const mended = sqlMigration(
      'c',
      broken.up.type === 'sql' ? broken.up.sql.replace('nowhere VALUES (1)', "counts VALUES ('c2', 1)") : '',
    );
    await withSession(target, async (session) => {
      const again = applyOptions({ expectedDigest: historyDigest([countedRows('a'), counted('b')]) });
      const applied = await session.applyMigrations([mended, ...rest], again);
      expect([applied.map(({ name }) => name), again.seen]).toEqual([
        ['c', 'd', 'e'],
        ['c', 'd', 'e'],
      ]);
      expect(await session.readHistory()).toMatchObject({ progress: null });
    });
    const rows = await query<{ name: string }>(target, 'SELECT name FROM @@counts ORDER BY name');
    expect(rows.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'c2', 'd', 'e']);
  });

  it('keep each its own settings, and its place among modules and changes of tables', async () => {
    const target = await newTenant();
    const module = moduleMigration('c', async (db) => {
      await (db as TenantDb).query("INSERT INTO counts VALUES ('c', 1)");
    });
    const steps = [
      countedRows('a'),
      sqlMigration('b', "SET SESSION group_concat_max_len = 7;\nSET @mine = 5;\nINSERT INTO counts VALUES ('b', @@group_concat_max_len);"),
      module,
      sqlMigration('d', "INSERT INTO counts VALUES ('d', IF(@@group_concat_max_len = 7 OR @mine IS NOT NULL, 0, 1));"),
      sqlMigration('e', 'ALTER TABLE counts ADD COLUMN later int;\nCREATE INDEX counts_later ON counts (later);'),
      sqlMigration('f', "INSERT INTO counts (name, n, later) VALUES ('f', 1, 2);"),
    ];
    const options = applyOptions();
    await withSession(target, (session) => session.applyMigrations(steps, options));
    expect(options.seen).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(await query(target, 'SELECT name, n FROM @@counts ORDER BY name')).toEqual([
      { name: 'a', n: 1 },
      { name: 'b', n: 7 },
      { name: 'c', n: 1 },
      { name: 'd', n: 1 },
      { name: 'f', n: 1 },
    ]);
  });

  it('go on in smaller units where a table can’t undo, each once', async () => {
    const target = await newTenant();
    const steps = [
      countedRows('a'),
      sqlMigration('b', 'CREATE TABLE plain (id int) ENGINE = MyISAM;'),
      sqlMigration('c', 'INSERT INTO plain VALUES (1);\nINSERT INTO plain VALUES (2);'),
      counted('d'),
    ];
    const options = applyOptions();
    await withSession(target, async (session) => {
      const applied = await session.applyMigrations(steps, options);
      expect(applied.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd']);
      expect(await session.readHistory()).toMatchObject({ progress: null });
    });
    expect(options.seen).toEqual(['a', 'b', 'c', 'd']);
    expect(await query(target, 'SELECT id FROM @@plain ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
  });
});
