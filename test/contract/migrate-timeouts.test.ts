import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantDb } from '../../src/migrations/migration.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { applyOptions, moduleMigration, openSession, type SessionSetting, sqlMigration, type TestSession } from './migrate-rig.js';

describe('the limits of a statement', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase('15');
    await database.query('CREATE SCHEMA limits; CREATE TABLE limits.busy (i int)');
  });
  afterAll(() => database?.drop());

  async function withSession(setting: Partial<SessionSetting>, use: (session: TestSession) => Promise<void>): Promise<void> {
    const session = await openSession(database.url, { schema: 'limits', ...setting });
    await use(session).finally(() => session.close());
  }

  const slow = sqlMigration('slow', 'SELECT 1;\nSELECT pg_sleep(5);');
  const slowAlone = sqlMigration('alone', '-- tenancy: no-transaction\nDO $$ BEGIN PERFORM pg_sleep(5); END $$');
  const slowModule = moduleMigration('module', async (db: TenantDb) => {
    await db.query('SELECT pg_sleep(5)');
  });

  it.each([slow, slowAlone, slowModule])('is named where $name takes too long', async (step) => {
    await database.query(`CREATE SCHEMA ${step.name}`);
    await withSession({ schema: step.name, statementTimeoutMs: 100 }, async (session) => {
      await expect(session.applyMigrations([step], applyOptions({ expectedDigest: null }))).rejects.toMatchObject({
        code: 'TENANCY_STATEMENT_TIMED_OUT',
        message: expect.stringMatching(/^acme: migration \w+(, line 2)?: it took longer than 100 ms, and was stopped/),
        hint: 'give statements more time with --statement-timeout, then run the same command again',
      });
    });
  });

  it('is named where a seed waits too long for a lock', async () => {
    await withSession({}, async (holder) => {
      await holder.client.query('BEGIN; LOCK TABLE limits.busy');
      await withSession({ lockTimeoutMs: 100 }, async (session) => {
        const seed = { name: 's', checksum: 'x', script: sqlMigration('s', 'INSERT INTO busy VALUES (1)').up };
        await expect(session.applySeed(seed, { tenant: 'acme' })).rejects.toMatchObject({
          code: 'TENANCY_LOCK_TIMED_OUT',
          message: expect.stringContaining('acme: seed s, line 1: others held a lock that it needs, and it gave up after 100 ms'),
          hint: expect.stringContaining('--lock-timeout'),
          cause: { code: '55P03' },
        });
      });
    });
  });

  it('leaves what others, or the script itself, put an end to as it is', async () => {
    await withSession({ statementTimeoutMs: 4000 }, async (session) => {
      const cancelled = session.applyMigrations([slow], applyOptions({ expectedDigest: null }));
      const timer = setInterval(() => void database.query(`SELECT pg_cancel_backend(${session.pid})`), 100);
      await expect(cancelled.finally(() => clearInterval(timer))).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_FAILED' });
    });
    await withSession({}, async (session) => {
      const own = sqlMigration('own', "SET LOCAL statement_timeout TO '50ms'; SELECT pg_sleep(5)");
      await expect(session.applyMigrations([own], applyOptions({ expectedDigest: null }))).rejects.toMatchObject({
        code: 'TENANCY_MIGRATION_FAILED',
      });
    });
  });
});
