import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { until } from '../rig/gate.js';
import { createTcpProxy } from '../rig/tcp-proxy.js';
import { createScene, createSceneGate } from './scene.js';

describe.concurrent('after a crash', () => {
  test('of a migrate the next one takes over by itself, and the run that died is told as interrupted', async (scope) => {
    const scene = await createScene(scope);
    const gate = await createSceneGate(scope, scene);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
    const killed = await scene.start(['tenant', 'migrate', '--all', '--json']);
    await gate.waiting(2);
    killed.kill('SIGKILL');
    await killed.result;
    await gate.open();
    const locked = await scene.json(['tenant', 'migrate', 'acme', '--lease-wait', '0']);
    expect(locked.exitCode).toBe(5);
    await scene.db.query(
      `UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() - interval '1 second'; UPDATE tenancy.runs SET alive_until = clock_timestamp() - interval '1 second' WHERE status = 'running'`,
    );
    const list = JSON.parse((await scene.ok(['run', 'list', '--json'])).stdout) as { runs: { status: string; command: string }[] };
    expect(list.runs.some(({ status }) => status === 'interrupted')).toBe(true);
    const next = await scene.json(['tenant', 'migrate', '--all']);
    expect([next.exitCode, next.finished.counts.failed]).toEqual([0, 0]);
    expect(await scene.db.query(`SELECT count(*)::int AS times FROM tenant_acme._tenancy_migrations WHERE name = '0002_gated'`)).toEqual([
      { times: 1 },
    ]);
  });

  test('a connection that is cut in a migration is made anew, and the migration done once', async (scope) => {
    const scene = await createScene(scope);
    let cuts = 0;
    const proxy = await createTcpProxy(scene.db.url, {
      onRequest: ({ sql, phase }) => (phase === 'after' && sql.includes('CREATE TABLE cut') && cuts++ === 0 ? 'drop' : undefined),
    });
    scope.onTestFinished(() => proxy.close());
    await scene.write(
      'tenancy.config.mjs',
      `export default {
      registry: { url: ${JSON.stringify(scene.db.url)} },
      clusters: { main: { url: ${JSON.stringify(proxy.url)} } },
      placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
      migrations: { directory: './migrations' },
    };`,
    );
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('migrations/0002_cut.sql', 'CREATE TABLE cut (id int);\n');
    const run = await scene.json(['tenant', 'migrate', 'acme']);
    expect([run.exitCode, cuts > 0, run.of('tenant.retried').length]).toEqual([0, true, 1]);
    expect(await scene.db.query(`SELECT count(*)::int AS times FROM tenant_acme._tenancy_migrations WHERE name = '0002_cut'`)).toEqual([
      { times: 1 },
    ]);
  });

  test('a statement that was interrupted outside a transaction is settled by repair', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    // Without a name for the index nothing in the catalogue tells whether this one was made.
    await scene.write('migrations/0002_index.sql', '-- tenancy: no-transaction\nCREATE INDEX CONCURRENTLY ON accounts (name);\n');
    const other = new Client({ connectionString: scene.db.url });
    await other.connect();
    await other.query('BEGIN; LOCK TABLE tenant_acme.accounts IN ROW EXCLUSIVE MODE');
    const killed = await scene.start(['tenant', 'migrate', 'acme', '--lock-timeout', '1m', '--json']);
    const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'`;
    await until(async () => (await scene.db.query(waiting)).length === 1, 'the index to wait for the table');
    killed.kill('SIGKILL');
    await killed.result;
    await other.query('ROLLBACK');
    await other.end();
    await scene.db.query(`UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() - interval '1 second'`);
    const unknown = await scene.json(['tenant', 'migrate', 'acme']);
    expect(unknown.finished.failed[0]).toMatchObject({
      outcome: 'unknown',
      error: { hint: expect.stringContaining('tenancy tenant repair acme') },
    });
    expect(unknown.exitCode).not.toBe(0);
    const undecided = await scene.json(['tenant', 'repair', 'acme']);
    expect([undecided.exitCode, undecided.finished.failed[0]?.error?.code]).toEqual([4, 'TENANCY_REPAIR_UNDECIDED']);
    const repaired = await scene.json(['tenant', 'repair', 'acme', '--applied']);
    expect(repaired.exitCode).toBe(0);
    const done = await scene.json(['tenant', 'migrate', 'acme']);
    expect(done.exitCode).toBe(0);
    expect(await scene.db.query('SELECT schema_version, last_error FROM tenancy.tenants')).toEqual([
      { schema_version: '0002_index', last_error: null },
    ]);
  });
});
