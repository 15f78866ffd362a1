import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { historyDigest } from '../../src/migrations/history-digest.js';
import type { LocalMigration } from '../../src/migrations/migration.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { applyOptions, openSession, type SessionSetting, sqlMigration, type TestSession } from './migrate-rig.js';

/** As the schema engine of Prisma 7 makes it (`create_migrations_table`), column for column. */
const PRISMA_TABLE = [
  ['id', 'character varying(36)', true, null],
  ['checksum', 'character varying(64)', true, null],
  ['finished_at', 'timestamp with time zone', false, null],
  ['migration_name', 'character varying(255)', true, null],
  ['logs', 'text', false, null],
  ['rolled_back_at', 'timestamp with time zone', false, null],
  ['started_at', 'timestamp with time zone', true, 'now()'],
  ['applied_steps_count', 'integer', true, '0'],
];

function prismaMigration(name: string, sql: string, down: string | null = null): LocalMigration {
  return { ...sqlMigration(name, sql, down), mirror: { type: 'prisma', name, checksum: `${'f'.repeat(63)}${name.length % 10}` } };
}

const first = prismaMigration('20240101000000_a', 'CREATE TABLE a (id int);', 'DROP TABLE a;');
const second = prismaMigration('20240201000000_bb', 'CREATE TABLE b (id int);', 'DROP TABLE b;');

describe.each(['15', '18'] as const)("Prisma's own history beside ours, on PostgreSQL %s", (version) => {
  let database: TestDatabase;
  let tenants = 0;

  beforeAll(async () => {
    database = await createTestDatabase(version);
    await database.query('CREATE SCHEMA extensions');
  });
  afterAll(() => database?.drop());

  async function newSchema(): Promise<string> {
    const schema = `tenant_${++tenants}`;
    await database.query(`CREATE SCHEMA ${schema}`);
    return schema;
  }

  async function withSession<T>(setting: SessionSetting, use: (session: TestSession) => Promise<T>): Promise<T> {
    const session = await openSession(database.url, setting);
    try {
      return await use(session);
    } finally {
      await session.close();
    }
  }

  const mirrorOf = (schema: string) =>
    database.query<Record<string, unknown>>(
      `SELECT migration_name, checksum, logs, applied_steps_count, rolled_back_at IS NOT NULL AS rolled_back, finished_at >= started_at AS finished,
        id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$' AS is_uuid FROM ${schema}._prisma_migrations ORDER BY started_at, migration_name`,
    );
  const asDeployed = ({ mirror }: LocalMigration) => ({
    migration_name: mirror?.name,
    checksum: mirror?.checksum,
    logs: null,
    applied_steps_count: 1,
    rolled_back: false,
    finished: true,
    is_uuid: true,
  });

  it('is written with each migration, as `migrate deploy` writes it, and taken back with it', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      const options = applyOptions();
      await session.applyMigrations([first, second], options);
      expect(await mirrorOf(schema)).toEqual([asDeployed(first), asDeployed(second)]);
      expect(await session.readMirror?.()).toEqual([first, second].map(({ mirror }) => ({ ...stripType(mirror), isFinished: true })));
      const again = applyOptions({ expectedDigest: historyDigest([first, second]) });
      const third = prismaMigration(
        '20240301000000_c',
        '-- tenancy: no-transaction\nCREATE TABLE c (id int);\nCREATE INDEX CONCURRENTLY ON c (id);',
      );
      await session.applyMigrations([third], again);
      expect((await mirrorOf(schema)).at(-1)).toEqual(asDeployed(third));
      expect([options.logged, again.logged]).toEqual([[], []]);
      await session.revertMigrations([second], applyOptions({ expectedDigest: historyDigest([first, second, third]) }));
      expect((await mirrorOf(schema)).map((row) => row['migration_name'])).toEqual([first.name, third.name]);
    });
    const columns = await database.query<{ column: unknown[] }>(
      `SELECT jsonb_build_array(attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)) AS column FROM pg_attribute
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = '${schema}._prisma_migrations'::regclass AND attnum > 0 ORDER BY attnum`,
    );
    expect(columns.map(({ column }) => column)).toEqual(PRISMA_TABLE);
  });

  it('is not written where the migration fails, and not for folders of anybody else', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      const broken = prismaMigration('20240201000000_b', 'CREATE TABLE b (id int); SELECT 1/0;');
      await expect(session.applyMigrations([first, broken], applyOptions())).rejects.toThrow(/division by zero/);
      expect(await mirrorOf(schema)).toEqual([asDeployed(first)]);
    });
    const plain = await newSchema();
    await withSession({ schema: plain }, async (session) => {
      await session.applyMigrations([sqlMigration('1_a', 'CREATE TABLE a (id int);')], applyOptions());
      expect(await session.readMirror?.()).toEqual([]);
    });
    expect(await database.query(`SELECT to_regclass('${plain}._prisma_migrations') AS mirror`)).toEqual([{ mirror: null }]);
  });

  it("is in `public` of a database of the tenant's own", async () => {
    const own = await createTestDatabase(version);
    try {
      const session = await openSession(own.url, { schema: null });
      try {
        await session.applyMigrations([first], applyOptions());
        expect(await own.query('SELECT migration_name FROM public._prisma_migrations')).toEqual([{ migration_name: first.name }]);
      } finally {
        await session.close();
      }
    } finally {
      await own.drop();
    }
  });

  it('is written for what is declared, as `migrate resolve --applied` does, and only where it is lacking', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      await session.applyMigrations([first], applyOptions());
      await session.recordApplied([first, second]);
      await session.recordApplied([first, second]);
    });
    expect(await mirrorOf(schema)).toEqual([asDeployed(first), { ...asDeployed(second), logs: '', applied_steps_count: 0 }]);
  });

  it('has what failed under Prisma as rolled back, once it is run here', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      await session.applyMigrations([first], applyOptions());
      await database.query(
        `INSERT INTO ${schema}._prisma_migrations (id, checksum, migration_name, logs) VALUES ('x', 'old', '${second.name}', 'no such table')`,
      );
      expect((await session.readMirror?.())?.at(-1)).toEqual({ name: second.name, checksum: 'old', isFinished: false });
      await session.applyMigrations([second], applyOptions({ expectedDigest: historyDigest([first]) }));
      expect(await session.readMirror?.()).toHaveLength(2);
    });
    expect((await mirrorOf(schema)).map((row) => [row['migration_name'], row['rolled_back']])).toEqual([
      [first.name, false],
      [second.name, true],
      [second.name, false],
    ]);
  });

  it('has nothing to take back in a tenant that was migrated before there was one', async () => {
    const schema = await newSchema();
    await withSession({ schema }, async (session) => {
      const { mirror, ...unmirrored } = first;
      await session.applyMigrations([unmirrored], applyOptions());
      await session.revertMigrations([first], applyOptions({ expectedDigest: historyDigest([first]) }));
      expect((await session.readHistory()).applied).toEqual([]);
    });
    expect(await mirrorOf(schema)).toEqual([]);
  });
});

function stripType(mirror: LocalMigration['mirror']) {
  return { name: mirror?.name, checksum: mirror?.checksum };
}
