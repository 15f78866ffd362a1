import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTenancy } from '../../src/create-tenancy.js';
import { createLeaseKeeper, LEASE_MS } from '../../src/lifecycle/leases.js';
import { openRegistry } from '../../src/registry/index.js';
import type { Tenancy } from '../../src/tenancy.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { createTcpProxy } from '../rig/tcp-proxy.js';
import { register } from './registry-rig.js';

describe('a process whose lease is lost', { timeout: 60_000 }, () => {
  let database: TestDatabase;
  let root: string;
  const closers: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    [database, root] = await Promise.all([createTestDatabase(), mkdtemp(path.join(tmpdir(), 'tenancy-'))]);
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await Promise.all([database.drop(), rm(root, { recursive: true, maxRetries: 5 })]);
  });

  async function open(clusterUrl: string): Promise<Tenancy> {
    const tenancy = await createTenancy(
      {
        registry: { url: database.url },
        clusters: { main: { url: clusterUrl } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-database', name: `${database.name}_${id}` }),
      },
      { root },
    );
    closers.push(() => tenancy.close());
    return tenancy;
  }

  const canAnybodyConnect = async (name: string): Promise<boolean> => {
    const grants = `SELECT FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
      WHERE datname = $1 AND a.grantee = 0 AND a.privilege_type = 'CONNECT'`;
    return (await database.query(grants, [name])).length === 1;
  };

  it('knows it as soon as the lease has run out, also while its renewal is still waiting for an answer', async () => {
    const proxy = await createTcpProxy(database.url);
    closers.push(() => proxy.close());
    const registry = await openRegistry({ url: proxy.url, create: true, applicationName: 'test' });
    closers.push(() => registry.close());
    await register(registry, 'acme');
    const leases = createLeaseKeeper(registry, { owner: 'sleeper', host: 'test' });
    closers.push(() => leases.close().catch(() => undefined));
    await leases.acquire('acme', 0, new AbortController().signal);
    const lost = leases.watch('acme');
    const startedMs = performance.now();
    proxy.setBlackHole(true);
    await new Promise((resolve) => lost.addEventListener('abort', resolve, { once: true }));
    expect(performance.now() - startedMs).toBeLessThan(LEASE_MS + 1_000);
    proxy.reset();
  });

  it("takes nobody's access away", async () => {
    let isHeld = false;
    let release = (): void => undefined;
    let reach = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const proxy = await createTcpProxy(database.url, {
      onRequest: async () => {
        if (isHeld) {
          reach();
          await released;
        }
        return 'forward' as const;
      },
    });
    closers.push(() => proxy.close());
    const [sleeper, other] = await Promise.all([open(proxy.url), open(database.url)]);
    await other.provision('acme');
    isHeld = true;
    const sleeping = sleeper.suspend('acme');
    await reached;
    await database.query('UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp()');
    await other.suspend('acme');
    await other.resume('acme');
    isHeld = false;
    release();
    const report = await sleeping;
    expect(await canAnybodyConnect(`${database.name}_acme`)).toBe(true);
    expect(report).toMatchObject({ exitCode: 5, failed: [{ error: { code: 'TENANCY_LEASE_LOST' } }] });
  });
});

describe('resume', () => {
  it('gives access back also to an active tenant, whose suspending was interrupted', async () => {
    const database = await createTestDatabase();
    const root = await mkdtemp(path.join(tmpdir(), 'tenancy-'));
    const tenancy = await createTenancy(
      {
        registry: { url: database.url },
        clusters: { main: { url: database.url } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-database', name: `${database.name}_${id}` }),
      },
      { root },
    );
    try {
      await tenancy.provision('acme');
      await tenancy.suspend('acme');
      await database.query(`UPDATE tenancy.tenants SET status = 'active'`);
      await tenancy.resume('acme');
      const [home] = await database.query(`SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`, [
        `${database.name}_acme`,
      ]);
      expect(home?.['comment']).not.toContain('"cut"');
    } finally {
      await tenancy.close();
      await rm(root, { recursive: true, maxRetries: 5 });
      await database.drop();
    }
  });
});
