import pg from 'pg';
import { expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import { createTestDatabase } from '../rig/postgres.js';

// A session keeps the plans of its first event, and a fleet's run is one session.
test.each(['15', '18'] as const)(
  'no event reads all chains, nor in a session that began while there was one, on PostgreSQL %s',
  async (version) => {
    const database = await createTestDatabase(version);
    const client = new pg.Client({ connectionString: database.url });
    try {
      await (await openRegistry({ url: database.url, create: true, applicationName: 'tenancy-test' })).close();
      await client.connect();
      await client.query(`INSERT INTO tenancy.events (tenant, type, data) VALUES ('first', 'tested', '{}')`);
      await client.query('ANALYZE tenancy.audit_heads');
      await client.query('BEGIN');
      await client.query(
        `INSERT INTO tenancy.events (tenant, type, data) SELECT 'tenant-' || n, 'tested', '{}' FROM generate_series(1, 20) n`,
      );
      const counted = await client.query(
        `SELECT seq_scan::int FROM pg_stat_xact_user_tables WHERE schemaname = 'tenancy' AND relname = 'audit_heads'`,
      );
      expect(counted.rows).toEqual([{ seq_scan: 0 }]);
    } finally {
      await client.end();
      await database.drop();
    }
  },
);
