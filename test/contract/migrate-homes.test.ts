import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatMarker } from '../../src/drivers/postgres/marker.js';
import { historyDigest } from '../../src/migrations/history-digest.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { applyOptions, counted, moduleMigration, openSession, sqlMigration, type TestSession } from './migrate-rig.js';

describe.each(['15', '18'] as const)('a home that is somebody else’s, on PostgreSQL %s', (version) => {
  let database: TestDatabase;
  let tenants = 0;

  beforeAll(async () => {
    database = await createTestDatabase(version);
  });
  afterAll(() => database?.drop());

  async function replaceSchema(comment: string | null): Promise<TestSession> {
    const schema = `home_${++tenants}`;
    await database.query(`CREATE SCHEMA ${schema}`);
    const before = await openSession(database.url, { schema });
    await before.applyMigrations([counted('a')], applyOptions());
    await before.close();
    await database.query(`DROP SCHEMA ${schema} CASCADE; CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.precious (i int)`);
    if (comment !== null) await database.query(`COMMENT ON SCHEMA ${schema} IS '${comment}'`);
    return openSession(database.url, { schema, isMarked: false });
  }

  const others: [string, string | null, string][] = [
    ['unmarked', null, 'was not made by tenancy'],
    ['marked by nobody we know', 'tenancy:{', 'was not made by tenancy'],
    ['marked for a neighbour', formatMarker({ tenant: 'b', registry: 'registry-1', operation: 'o' }), 'belongs to tenant b'],
  ];

  it.each(others)('is neither read nor written where it is %s', async (_, comment, owner) => {
    const session = await replaceSchema(comment);
    const refusal = { code: 'TENANCY_HOME_NOT_OURS', exitCode: 4, details: { tenant: 'acme', kind: 'schema', owner } };
    const expectedDigest = historyDigest([counted('a')]);
    try {
      await expect(session.readHistory()).rejects.toMatchObject(refusal);
      for (const digest of [historyDigest([]), expectedDigest]) {
        const options = applyOptions({ expectedDigest: digest });
        await expect(session.applyMigrations([counted('b')], options)).rejects.toMatchObject(refusal);
        const alone = sqlMigration('c', '-- tenancy: no-transaction\nVACUUM precious');
        await expect(session.applyMigrations([alone], options)).rejects.toMatchObject(refusal);
        const module = moduleMigration('m', async () => expect.unreachable());
        await expect(session.applyMigrations([module], options)).rejects.toMatchObject(refusal);
        await expect(session.revertMigrations([sqlMigration('a', 'SELECT 1', 'SELECT 1')], options)).rejects.toMatchObject(refusal);
      }
      await expect(session.applySeed({ name: 's', checksum: 'x', script: counted('s').up })).rejects.toMatchObject(refusal);
      await expect(session.recordApplied([counted('a')])).rejects.toMatchObject(refusal);
      const rows = await database.query<{ name: string }>(
        `SELECT relname AS name FROM pg_class WHERE relnamespace = 'home_${tenants}'::regnamespace`,
      );
      expect(rows).toEqual([{ name: 'precious' }]);
    } finally {
      await session.close();
    }
  });

  it('is refused as a database too, also where it has a history of its own', async () => {
    const own = await createTestDatabase(version);
    const ours = await openSession(own.url, { schema: null });
    await ours.applyMigrations([counted('a')], applyOptions());
    const marker = { tenant: 'acme', registry: 'registry-1', operation: 'database' };
    const comment = formatMarker({ ...marker, cut: [{ role: null, isGrantable: false }] });
    await own.query(`COMMENT ON DATABASE "${own.name}" IS '${comment}'`);
    await ours.applyMigrations([counted('b')], applyOptions({ expectedDigest: null }));
    await own.query(`COMMENT ON DATABASE "${own.name}" IS '${comment.replace('"acme"', '"acme2"')}'`);
    await expect(ours.applyMigrations([counted('c')], applyOptions({ expectedDigest: null }))).rejects.toThrow(
      `acme: the database ${own.name} belongs to tenant acme2, so it is not entered, and nothing was written to it`,
    );
    await expect(ours.readHistory()).rejects.toMatchObject({ code: 'TENANCY_HOME_NOT_OURS' });
    await ours.close();
    await own.drop();
  });
});
