import { expect, it } from 'vitest';
import type { TenantSession, TenantTarget } from '../../src/drivers/driver.js';
import { TenancyError } from '../../src/errors.js';
import { historyDigest } from '../../src/migrations/history-digest.js';
import type { TenantDb } from '../../src/migrations/migration.js';
import { suiteOn } from '../rig/require.js';
import { countedRows, useMysqlTenants } from './migrate-mysql-rig.js';
import { applyOptions, moduleMigration, sqlMigration } from './migrate-rig.js';

const afterA = (overrides = {}): ReturnType<typeof applyOptions> =>
  applyOptions({ expectedDigest: historyDigest([countedRows('a')]), ...overrides });
const names = async (session: TenantSession): Promise<string[]> => (await session.readHistory()).applied.map(({ name }) => name);

suiteOn('mariadb')('migrations of MySQL', {}, () => {
  const tenants = useMysqlTenants();
  const { withSession, query, newTenant } = tenants;
  const counts = async (target: TenantTarget): Promise<string[]> =>
    (await query<{ name: string }>(target, 'SELECT name FROM @@counts ORDER BY name')).map(({ name }) => name);

  it('are applied in order, each once, with their history', async () => {
    const target = await newTenant();
    await withSession(target, async (session) => {
      const options = applyOptions();
      const applied = await session.applyMigrations([countedRows('a'), countedRows('b')], options);
      expect(options.seen).toEqual(['a', 'b']);
      expect(applied.map(({ name, runId }) => [name, runId])).toEqual([
        ['a', 'run-1'],
        ['b', 'run-1'],
      ]);
      const history = await session.readHistory();
      expect(history).toMatchObject({ progress: null, fence: 1, seeds: [] });
      expect(history.applied.map(({ name, checksum }) => [name, checksum])).toEqual([
        ['a', countedRows('a').checksum],
        ['b', countedRows('b').checksum],
      ]);
      expect(Math.abs(Date.now() - (history.applied[0]?.appliedAt.getTime() ?? 0))).toBeLessThan(60_000);
      expect(Math.abs(Date.now() - (applied[0]?.appliedAt.getTime() ?? 0))).toBeLessThan(60_000);
    });
    expect(await counts(target)).toEqual(['a', 'b']);
  });

  it('run nothing on another history than the one that was planned on', async () => {
    const target = await newTenant();
    await withSession(target, async (session) => {
      await session.applyMigrations([countedRows('a')], applyOptions());
      await expect(session.applyMigrations([countedRows('b')], applyOptions())).rejects.toMatchObject({ code: 'TENANCY_HISTORY_MOVED' });
      expect(await names(session)).toEqual(['a']);
    });
  });

  it('write nothing with an older fence', async () => {
    const target = await newTenant();
    await withSession(target, (session) => session.applyMigrations([countedRows('a')], applyOptions()), { fence: 7 });
    await withSession(
      target,
      async (session) => {
        expect((await session.readHistory()).fence).toBe(7);
        await expect(session.applyMigrations([countedRows('b')], afterA())).rejects.toMatchObject({
          code: 'TENANCY_FENCE_LOST',
          details: { fence: 6 },
        });
      },
      { fence: 6 },
    );
    expect(await counts(target)).toEqual(['a']);
  });

  it('stop at the statement that failed, name its place, and go on there', async () => {
    const target = await newTenant();
    const broken = sqlMigration(
      'b',
      "-- first\nCREATE TABLE b1 (id int);\nINSERT INTO counts VALUES ('b', 1);\nALTER TABLE b1\n  ADD COLUMN x int,\n  ADDD COLUMN y int;\nINSERT INTO counts VALUES ('b2', 1);",
    );
    await withSession(target, async (session) => {
      await session.applyMigrations([countedRows('a')], applyOptions());
      await expect(session.applyMigrations([broken], afterA())).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
        details: {
          tenant: 'acme',
          migration: 'b',
          file: 'migrations/b.sql',
          line: 6,
          column: 8,
          reason: expect.stringMatching(/near 'COLUMN y int' at line 3 \(error 1064, SQLSTATE 42000\)$/),
          statement: expect.stringContaining('6 |   ADDD COLUMN'),
        },
      });
      expect((await session.readHistory()).progress).toMatchObject({ name: 'b', statementsDone: 2, state: 'between' });
      expect(await counts(target)).toEqual(['a', 'b']);
      await query(target, 'ALTER TABLE @@b1 ADD COLUMN other int');
    });
    // What was run must not change under it; what failed is there to be mended.
    const text = broken.up.type === 'sql' ? broken.up.sql : '';
    const edited = sqlMigration('b', text.replace('b1', 'b3').replace('ADDD', 'ADD'));
    const mended = sqlMigration('b', text.replace('ADDD', 'ADD'));
    await withSession(target, async (session) => {
      await expect(session.applyMigrations([edited], afterA())).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_PROGRESS_DRIFTED' });
      await session.applyMigrations([mended], afterA());
      expect(await session.readHistory()).toMatchObject({ progress: null, applied: [{ name: 'a' }, { name: 'b' }] });
    });
    expect(await counts(target)).toEqual(['a', 'b', 'b2']);
  });

  it('undo rows that belong together where one of the statements fails', async () => {
    const target = await newTenant();
    const broken = sqlMigration(
      'b',
      "INSERT INTO counts VALUES ('b', 1);\nINSERT INTO counts VALUES ('b2', 1);\nINSERT INTO counts VALUES ('b3');",
    );
    await withSession(target, async (session) => {
      await session.applyMigrations([countedRows('a')], applyOptions());
      await expect(session.applyMigrations([broken], afterA())).rejects.toMatchObject({
        details: { line: 3, reason: expect.stringContaining('1136') },
      });
      expect((await session.readHistory()).progress).toBeNull();
    });
    expect(await counts(target)).toEqual(['a']);
  });

  it('bear procedures, triggers, comments that are run, settings and what the server says', async () => {
    const target = await newTenant();
    const file = sqlMigration(
      'b',
      `/*!40101 SET @OLD_MODE = @@SQL_MODE, SQL_MODE = 'NO_AUTO_VALUE_ON_ZERO' */;
SET FOREIGN_KEY_CHECKS = 0, @mine = 'b';
DELIMITER $$
CREATE PROCEDURE add_count(IN what varchar(20))
BEGIN
  IF what IS NOT NULL THEN
    INSERT INTO counts VALUES (what, 1);
  END IF;
  SELECT 1;
END$$
DELIMITER ;
CREATE TRIGGER double_it BEFORE INSERT ON counts FOR EACH ROW BEGIN SET NEW.n = NEW.n * 2; END;
CREATE TABLE child (id int, parent int, FOREIGN KEY (parent) REFERENCES not_yet (id));
CREATE TABLE not_yet (id int PRIMARY KEY);
CALL add_count(@mine); -- it answers twice
SET @sql = 'CREATE TABLE prepared (id int)';
PREPARE s FROM @sql;
EXECUTE s;
DEALLOCATE PREPARE s;
DROP TABLE IF EXISTS not_there;
INSERT INTO counts SELECT 'c', 1; # the end`,
    );
    await withSession(target, async (session) => {
      const options = afterA();
      await session.applyMigrations([countedRows('a')], applyOptions());
      await session.applyMigrations([file], options);
      expect(options.logged).toEqual([expect.stringMatching(/NOTE: Unknown table .*not_there/)]);
      const { rows } = await session.db.query('SELECT @@foreign_key_checks AS checks, @mine AS mine, @@sql_mode AS mode');
      expect(rows).toEqual([{ checks: 1, mine: null, mode: expect.stringContaining('STRICT_TRANS_TABLES') }]);
    });
    expect(await query(target, 'SELECT * FROM @@counts ORDER BY name')).toEqual([
      { name: 'a', n: 1 },
      { name: 'b', n: 2 },
      { name: 'c', n: 2 },
    ]);
  });

  it('are reverted with their history rows, and refused before anything where one has no way back', async () => {
    const target = await newTenant();
    const b = sqlMigration('b', 'CREATE TABLE b (id int)', 'DROP TABLE b; ALTER TABLE counts DROP COLUMN n');
    const a = countedRows('a');
    await withSession(target, async (session) => {
      await session.applyMigrations([a, b], applyOptions());
      const options = applyOptions({ expectedDigest: historyDigest([a, b]) });
      await expect(session.revertMigrations([b, a], options)).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_IRREVERSIBLE' });
      await session.revertMigrations([b], options);
      expect(options.seen).toEqual(['b']);
      expect(await names(session)).toEqual(['a']);
    });
    expect(await query(target, 'SELECT * FROM @@counts')).toEqual([{ name: 'a' }]);
  });

  it('refuse a bad file before the first statement of the first one', async () => {
    const target = await newTenant();
    await withSession(target, async (session) => {
      await expect(
        session.applyMigrations([countedRows('a'), sqlMigration('b', 'SELECT 1;\nCOMMIT')], applyOptions()),
      ).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_TRANSACTION_REFUSED',
        details: { line: 2 },
      });
      expect(await names(session)).toEqual([]);
    });
    expect(
      await query(target, `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${target.name}' AND TABLE_NAME = 't_a'`),
    ).toEqual([]);
  });

  it('name the limit of ours that ended them', async () => {
    const target = await newTenant();
    const slow = sqlMigration('b', 'CREATE TABLE before_it (id int);\nSELECT SLEEP(10);');
    await withSession(target, (session) => session.applyMigrations([countedRows('a')], applyOptions()));
    await withSession(
      target,
      (session) =>
        expect(session.applyMigrations([slow], afterA())).rejects.toMatchObject({
          code: 'TENANCY_STATEMENT_TIMED_OUT',
          details: { line: 2, limitMs: 100 },
        }),
      { statementTimeoutMs: 100 },
    );
    await withSession(target, async (blocker) => {
      await blocker.db.query('START TRANSACTION; INSERT INTO counts VALUES (1, 1)');
      await withSession(
        target,
        (session) =>
          expect(session.applyMigrations([sqlMigration('c', 'ALTER TABLE counts ADD COLUMN m int')], afterA())).rejects.toMatchObject({
            code: 'TENANCY_MIGRATION_PROGRESS_DRIFTED',
          }),
        { lockTimeoutMs: 500 },
      );
      await query(target, "DELETE FROM @@_tenancy_state WHERE type = 'progress'");
      await withSession(
        target,
        (session) =>
          expect(session.applyMigrations([sqlMigration('c', 'ALTER TABLE counts ADD COLUMN m int')], afterA())).rejects.toMatchObject({
            code: 'TENANCY_LOCK_TIMED_OUT',
          }),
        { lockTimeoutMs: 500 },
      );
      await blocker.db.query('ROLLBACK');
    });
  });

  it('run modules, which go on after a failure and may ask for a transaction', async () => {
    const target = await newTenant();
    let isBroken = true;
    const plain = moduleMigration('b', async (db: unknown, { log }) => {
      const { query: send } = db as TenantDb;
      await send('INSERT INTO counts VALUES (?, ?)', ['b', 1]);
      await send('CREATE TABLE IF NOT EXISTS b (id int)');
      log(`rows: ${(await send('SELECT * FROM counts WHERE name = ?', ['b'])).rows.length}`);
      if (isBroken) throw new Error('half way');
    });
    const requested = (name: string, run: (db: TenantDb) => Promise<void>): ReturnType<typeof moduleMigration> => {
      const migration = moduleMigration(name, (db) => run(db as TenantDb));
      return { ...migration, up: { ...migration.up, requestsTransaction: true } as typeof migration.up };
    };
    await withSession(target, async (session) => {
      await session.applyMigrations([countedRows('a')], applyOptions());
      await expect(session.applyMigrations([plain], afterA())).rejects.toMatchObject({ details: { reason: 'Error: half way' } });
      isBroken = false;
      const options = afterA();
      await session.applyMigrations([plain], options);
      expect(options.logged).toEqual(['rows: 2']);
      const rest = applyOptions({ expectedDigest: null });
      const throwing = requested('c', async (db) => {
        await db.query("INSERT INTO counts VALUES ('c', 1)");
        throw new Error('no');
      });
      await expect(session.applyMigrations([throwing], rest)).rejects.toThrow(/Error: no/);
      const defining = requested('c', async (db) => {
        await db.query('CREATE TABLE c (id int)').catch(() => {});
      });
      await expect(session.applyMigrations([defining], rest)).rejects.toThrow(/CREATE TABLE commits/);
      await session.applyMigrations([requested('c', async (db) => void (await db.query("INSERT INTO counts VALUES ('c2', 1)")))], rest);
      expect(await names(session)).toEqual(['a', 'b', 'c']);
    });
    expect(await counts(target)).toEqual(['a', 'b', 'b', 'c2']);
  });

  it('leave nothing of a module behind that can not be loaded', async () => {
    const target = await newTenant();
    const unloadable = moduleMigration('b', async () => {
      throw new TenancyError('TENANCY_MIGRATION_MODULE_REJECTED', { file: 'migrations/b.ts', reason: 'it exports no function `up`' });
    });
    await withSession(target, async (session) => {
      await expect(session.applyMigrations([countedRows('a'), unloadable], applyOptions())).rejects.toThrow('it exports no function');
      expect((await session.readHistory()).progress).toBeNull();
      await session.applyMigrations([countedRows('c')], afterA());
      expect(await names(session)).toEqual(['a', 'c']);
    });
  });

  it('keep a module to the database of its tenant', async () => {
    const target = await newTenant();
    const other = await newTenant();
    const straying = moduleMigration('a', async (db) => void (await (db as TenantDb).query(`USE \`${other.name}\``)));
    await withSession(target, async (session) => {
      await expect(session.applyMigrations([straying], applyOptions())).rejects.toThrow(/USE is refused/);
      // What strays behind our back is not recorded in the history of whoever it strayed to.
      const hidden = moduleMigration('a', async () => void (await session.db.query(`USE \`${other.name}\``)));
      await expect(session.applyMigrations([hidden], applyOptions())).rejects.toMatchObject({ code: 'TENANCY_FENCE_LOST' });
    });
    for (const home of [target, other])
      await withSession(home, async (session) => expect((await session.readHistory()).applied).toEqual([]), { fence: 2 });
  });

  it('seed once', async () => {
    const target = await newTenant();
    const seed = { name: 's', checksum: 'x', script: sqlMigration('s', "INSERT INTO counts VALUES ('s', 1)").up };
    await withSession(target, async (session) => {
      await session.applyMigrations([countedRows('a')], applyOptions());
      expect(await session.applySeed(seed)).toBe(true);
      expect(await session.applySeed(seed)).toBe(false);
      expect((await session.readHistory()).seeds).toEqual(['s']);
      const bad = { name: 'bad', checksum: 'y', script: sqlMigration('bad', 'INSERT INTO nowhere VALUES (1)').up };
      await expect(session.applySeed(bad)).rejects.toMatchObject({ code: 'TENANCY_SEED_FAILED', details: { seed: 'bad', line: 1 } });
    });
    const racing = await Promise.all([1, 2, 3].map(() => withSession(target, (session) => session.applySeed({ ...seed, name: 'race' }))));
    expect(racing.filter(Boolean)).toHaveLength(1);
    expect(await counts(target)).toEqual(['a', 's', 's']);
  });

  it('record what is there already, and keep Prisma’s own history beside ours', async () => {
    const target = await newTenant();
    const mirrored = (name: string): ReturnType<typeof sqlMigration> => ({
      ...sqlMigration(name, `CREATE TABLE p_${name} (id int)`, `DROP TABLE p_${name}`),
      mirror: { type: 'prisma' as const, name: `prisma_${name}`, checksum: 'c'.repeat(64) },
    });
    await withSession(target, async (session) => {
      expect(await session.readMirror?.()).toEqual([]);
      await session.recordApplied([mirrored('a')]);
      await session.recordApplied([mirrored('a')]);
      const { applied } = await session.readHistory();
      expect(applied).toHaveLength(1);
      await session.applyMigrations([mirrored('b')], applyOptions({ expectedDigest: historyDigest(applied) }));
      expect(await session.readMirror?.()).toEqual([
        { name: 'prisma_a', checksum: 'c'.repeat(64), isFinished: true },
        { name: 'prisma_b', checksum: 'c'.repeat(64), isFinished: true },
      ]);
      await session.revertMigrations([mirrored('b')], applyOptions({ expectedDigest: null }));
      expect(await session.readMirror?.()).toHaveLength(1);
    });
  });

  it('are refused in a home that is not the marker’s', async () => {
    const target = await newTenant();
    const stranger = { ...target, marker: { ...target.marker, tenant: 'globex' } };
    await withSession(
      stranger,
      async (session) => {
        await expect(session.readHistory()).rejects.toMatchObject({ code: 'TENANCY_HOME_NOT_OURS' });
        await expect(session.applyMigrations([countedRows('a')], applyOptions())).rejects.toMatchObject({ code: 'TENANCY_HOME_NOT_OURS' });
      },
      { fence: 9 },
    );
    await withSession(target, async (session) => expect((await session.readHistory()).fence).toBe(0));
  });
});
