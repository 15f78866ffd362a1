import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { createTenancy } from '../../src/create-tenancy.js';
import { checkInvariants } from '../rig/check-invariants.js';
import { createTestDatabase } from '../rig/postgres.js';

describe('13 fan-out grants: 200 tenants with logins of their own at 20 in a shared database', { timeout: 240_000 }, () => {
  it('no race on the catalogue reaches the user, and the connections stay within the cap', async ({ task }) => {
    const database = await createTestDatabase('18');
    const root = await mkdtemp(path.join(os.tmpdir(), 'fan-out-'));
    const cap = 20;
    const told: string[] = [];
    const tenancy = await createTenancy(
      {
        registry: { url: database.url },
        clusters: { main: { url: database.url, concurrency: cap } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: `tenant_${id}` }),
        isolation: 'role',
        secrets: { directory: './secrets' },
      },
      { root, onEvent: (event) => void told.push(JSON.stringify(event)) },
    );
    const watch = new Client({ connectionString: database.url });
    await watch.connect();
    let most = 0;
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        const { rows } = await watch.query<{ n: number }>(
          `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
        );
        most = Math.max(most, rows[0]?.n ?? 0);
      }
    })();
    try {
      const ids = Array.from({ length: 200 }, (_, index) => `t${index}`);
      const report = await tenancy.provision(ids);
      expect(report.failed).toEqual([]);
      expect(report.counts.applied).toBe(200);
      for (const code of ['XX000', '23505', '53300', 'tuple concurrently', 'tenant.retried']) {
        expect(told.filter((event) => event.includes(code))).toEqual([]);
      }
      task.meta.points = { tried: 200, converged: report.counts.applied };
      // The registry has two besides.
      expect(most).toBeLessThanOrEqual(cap + 2);
      await tenancy.close();
      await checkInvariants({ adminUrl: database.url, registryUrl: database.url });
    } finally {
      isOver = true;
      await watching;
      await watch.end();
      await tenancy.close();
      await database.query(`DO $$ DECLARE r text; BEGIN
        FOR r IN SELECT rolname FROM pg_roles, tenancy.registry g WHERE shobj_description(pg_roles.oid, 'pg_authid') LIKE '%"registry":"' || g.id || '"%'
        LOOP EXECUTE format('DROP OWNED BY %I CASCADE', r); EXECUTE format('DROP ROLE %I', r); END LOOP; END $$`);
      await database.drop();
      await rm(root, { recursive: true, force: true });
    }
  });
});
