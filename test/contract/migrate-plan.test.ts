import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantSession } from '../../src/drivers/driver.js';
import { applyPlan } from '../../src/migrations/apply.js';
import { historyDigest } from '../../src/migrations/history-digest.js';
import type { LocalMigration } from '../../src/migrations/migration.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { applyOptions, counted, openSession, sqlMigration } from './migrate-rig.js';

describe('a plan', () => {
  let database: TestDatabase;
  const signal = new AbortController().signal;

  beforeAll(async () => {
    database = await createTestDatabase('18');
    await database.query('CREATE SCHEMA extensions; CREATE SCHEMA t1; CREATE SCHEMA t2');
  });
  afterAll(() => database?.drop());

  it('goes up and down over umzug, in one call of the session each', async () => {
    const opened = await openSession(database.url, { schema: 't1' });
    const session = opened as unknown as TenantSession;
    const steps = ['a', 'b', 'c'].map((name): LocalMigration => sqlMigration(name, `CREATE TABLE ${name} (id int)`, `DROP TABLE ${name}`));
    const base = { from: null, to: null, ahead: [] };
    try {
      const up = applyOptions();
      await applyPlan(session, { ...base, direction: 'up', steps }, { ...up, signal });
      expect(up.seen).toEqual(['a', 'b', 'c']);
      const down = applyOptions({ expectedDigest: historyDigest(steps) });
      await applyPlan(session, { ...base, direction: 'down', steps: steps.slice(1).reverse() }, { ...down, signal });
      expect(down.seen).toEqual(['c', 'b']);
      expect((await session.readHistory()).applied.map(({ name }) => name)).toEqual(['a']);
    } finally {
      await opened.close();
    }
  });

  it('fails with the error of the migration that failed, and keeps what came before', async () => {
    const opened = await openSession(database.url, { schema: 't2' });
    const session = opened as unknown as TenantSession;
    const steps = [counted('a'), counted('b'), sqlMigration('c', 'SELECT 1/0'), counted('d')];
    try {
      const options = applyOptions();
      const running = applyPlan(session, { from: null, to: null, ahead: [], direction: 'up', steps }, { ...options, signal });
      await expect(running).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_FAILED', details: { migration: 'c' } });
      expect(options.seen).toEqual(['a', 'b']);
    } finally {
      await opened.close();
    }
  });
});
