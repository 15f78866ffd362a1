import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTenancy } from '../../src/create-tenancy.js';
import type { DriverName } from '../../src/tenant.js';
import { createTestMysql } from '../rig/mysql.js';
import { createMysqlProxy } from '../rig/mysql-proxy.js';
import { createTestDatabase } from '../rig/postgres.js';
import { isHere, skipWithout } from '../rig/require.js';
import { createTcpProxy } from '../rig/tcp-proxy.js';

const MIGRATIONS = 200;

/** What a new tenant's migrations cost in round trips, counted in front of its server. */
describe('the migrations of a new tenant', { timeout: 60_000 }, () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'tenancy-'));
    await mkdir(path.join(directory, 'migrations'));
    for (let index = 1; index <= MIGRATIONS; index += 1) {
      const name = `${String(index).padStart(4, '0')}_t`;
      await writeFile(path.join(directory, 'migrations', `${name}.sql`), `CREATE TABLE t${index} (id int PRIMARY KEY);\n`);
    }
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** Requests to the cluster that provisioning a tenant takes, once code and connections are there. */
  async function countRequests(
    registryUrl: string,
    proxy: { readonly url: string; readonly requestCount: number },
    driver: DriverName,
    prefix: string,
  ): Promise<number> {
    const tenancy = await createTenancy(
      {
        registry: { url: registryUrl },
        clusters: { main: { url: proxy.url } },
        placement: ({ id }) => ({ cluster: 'main', driver, name: `${prefix}${id}` }),
        migrations: { directory: './migrations' },
        templates: false,
      },
      { root: directory },
    );
    try {
      expect(await tenancy.provision('first')).toMatchObject({ exitCode: 0 });
      const before = proxy.requestCount;
      expect(await tenancy.provision('second')).toMatchObject({ exitCode: 0 });
      return proxy.requestCount - before;
    } finally {
      await tenancy.close();
    }
  }

  it.each(['postgres-schema', 'postgres-database'] as const)('are one message to a %s, whatever their number', async (driver) => {
    const database = await createTestDatabase();
    const proxy = await createTcpProxy(database.url);
    expect(await countRequests(database.url, proxy, driver, `${database.name}_`)).toBeLessThanOrEqual(10);
    await proxy.close();
    await database.drop();
  });

  it('are one message to MySQL, and a few for the tenant', async ({ skip }) => {
    if (!isHere('mariadb')) skipWithout('mariadb', skip);
    const database = await createTestMysql();
    const bare = new URL(database.url);
    bare.pathname = '/';
    const proxy = await createMysqlProxy(bare.href);
    expect(await countRequests(database.url, proxy, 'mysql-database', `${database.name}_`)).toBeLessThanOrEqual(30);
    await proxy.close();
    await database.drop();
  });
});
