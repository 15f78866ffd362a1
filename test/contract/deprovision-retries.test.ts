import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TenancyConfig } from '../../src/config/types.js';
import { createTenancy } from '../../src/create-tenancy.js';
import type { RunEvent } from '../../src/events.js';
import type { Tenancy } from '../../src/tenancy.js';
import type { DriverName } from '../../src/tenant.js';
import { createTestDatabase, query, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { describeOn } from '../rig/require.js';
import { createTcpProxy, type ProxiedRequest } from '../rig/tcp-proxy.js';

/** Enough that a schema is dropped in several transactions: each table counts for some ten objects. */
const TABLES = 150;

describeOn('postgresql-client', () => {
  describe('a deprovision whose connection breaks in its drop', { timeout: 120_000 }, () => {
    let database: TestDatabase;
    let root: string;
    const closers: (() => Promise<unknown>)[] = [];

    beforeEach(async () => {
      [database, root] = await Promise.all([createTestDatabase('15'), mkdtemp(path.join(tmpdir(), 'tenancy-'))]);
    });
    afterEach(async () => {
      for (const close of closers.splice(0).reverse()) await close();
      await Promise.all([database.drop(), rm(root, { recursive: true, maxRetries: 5 })]);
    });

    const nameOf = (driver: DriverName, id: string): string => (driver === 'postgres-schema' ? `tenant_${id}` : `${database.name}_${id}`);

    async function open(driver: DriverName, clusterUrl = database.url, onEvent?: (event: RunEvent) => void): Promise<Tenancy> {
      const placement: TenancyConfig['placement'] = ({ id }) => ({ cluster: 'main', driver, name: nameOf(driver, id) });
      const config = {
        registry: { url: database.url },
        clusters: { main: { url: clusterUrl } },
        placement,
        backups: { directory: './backups' },
      };
      const tenancy = await createTenancy(config, { root, ...(onEvent === undefined ? {} : { onEvent }) });
      closers.push(() => tenancy.close());
      return tenancy;
    }

    /** Whose connection to the cluster breaks once, where `isThere` says so; and what it told. */
    async function openBreaking(driver: DriverName, isThere: (request: ProxiedRequest) => boolean) {
      let hasBroken = false;
      const proxy = await createTcpProxy(database.url, {
        onRequest: (request) => {
          if (hasBroken || !isThere(request)) return 'forward';
          hasBroken = true;
          return 'drop';
        },
      });
      closers.push(() => proxy.close());
      const events: RunEvent[] = [];
      const tenancy = await open(driver, proxy.url, (event) => events.push(event));
      // The rig's login is a superuser, whom nobody can keep out: not what this is about.
      const warned = (): readonly string[] =>
        events.flatMap((event) => (event.type === 'run.warned' && event.code !== 'TENANCY_ACCESS_NOT_ENFORCED' ? [event.code] : []));
      const planned = () =>
        events.flatMap((event) => (event.type === 'tenant.planned' ? [{ steps: event.steps, backup: event.backup }] : []));
      return { tenancy, warned, planned, hasBroken: () => hasBroken };
    }

    const countTables = async (driver: DriverName, id: string): Promise<number> => {
      const [url, schema] =
        driver === 'postgres-schema' ? [database.url, nameOf(driver, id)] : [withDatabase(database.url, nameOf(driver, id)), 'public'];
      const tables = `SELECT FROM pg_tables WHERE schemaname = $1 AND tablename ~ '^account_'`;
      return (await query(url, tables, [schema])).length;
    };

    async function provision(driver: DriverName): Promise<Tenancy> {
      const tenancy = await open(driver);
      await tenancy.provision('acme');
      const [url, schema] =
        driver === 'postgres-schema'
          ? [database.url, nameOf(driver, 'acme')]
          : [withDatabase(database.url, nameOf(driver, 'acme')), 'public'];
      await query(
        url,
        `DO $$ BEGIN FOR n IN 1..${TABLES} LOOP
           EXECUTE format('CREATE TABLE %I.account_%s (id serial PRIMARY KEY, name text UNIQUE)', '${schema}', n);
         END LOOP; END $$`,
      );
      return tenancy;
    }

    /** The second transaction of a drop piece by piece: the first has taken tables away for good. */
    const isSecondBatch = (): ((request: ProxiedRequest) => boolean) => {
      let batches = 0;
      return ({ phase, sql }) => phase === 'before' && sql.includes('DROP TABLE IF EXISTS') && ++batches === 2;
    };
    /** Nobody can connect to it any more, and it has its name yet. */
    const isRenaming = ({ phase, sql }: ProxiedRequest): boolean => phase === 'before' && /ALTER DATABASE .* RENAME TO/.test(sql);

    it.each([
      { driver: 'postgres-schema', isThere: isSecondBatch() },
      { driver: 'postgres-database', isThere: isRenaming },
    ] as const)('goes on with the drop in its next attempt: $driver', async ({ driver, isThere }) => {
      const other = await provision(driver);
      const { tenancy, warned, hasBroken } = await openBreaking(driver, isThere);
      const report = await tenancy.deprovision('acme', { confirm: 'acme' });
      expect(hasBroken()).toBe(true);
      expect(await other.find('acme')).toMatchObject({ status: 'deprovisioned' });
      expect({ exitCode: report.exitCode, warned: warned() }).toEqual({
        exitCode: 0,
        warned: [],
      });
      expect(await other.listBackups('acme')).toHaveLength(1);
      expect(await other.restore('acme')).toMatchObject({ exitCode: 0 });
      expect(await countTables(driver, 'acme')).toBe(TABLES);
    });

    it('makes no backup of what the command before has half dropped, and says so', async () => {
      const other = await provision('postgres-schema');
      const { tenancy, warned, planned, hasBroken } = await openBreaking('postgres-schema', isSecondBatch());
      const broken = await tenancy.deprovision('acme', { confirm: 'acme', skipBackup: true, limits: { retries: 0 } });
      expect([broken.exitCode, hasBroken(), warned()]).toEqual([6, true, []]);
      expect(await countTables('postgres-schema', 'acme')).toBeLessThan(TABLES);
      await tenancy.deprovision('acme', { confirm: 'acme', dryRun: true });
      expect(planned()).toEqual([{ steps: ['guard', 'cut-access', 'drop', 'verify', 'tombstone'], backup: undefined }]);
      expect(await tenancy.deprovision('acme', { confirm: 'acme' })).toMatchObject({ exitCode: 0 });
      expect(warned()).toEqual(['TENANCY_BACKUP_OMITTED', 'TENANCY_BACKUP_OMITTED']);
      expect(await other.listBackups('acme')).toEqual([]);
    });

    it('does not take what it has dropped itself for lost', async () => {
      const other = await provision('postgres-database');
      const isDropped = ({ phase, sql }: ProxiedRequest): boolean => phase === 'after' && sql.startsWith('DROP DATABASE');
      const { tenancy, warned, hasBroken } = await openBreaking('postgres-database', isDropped);
      const report = await tenancy.deprovision('acme', { confirm: 'acme' });
      expect({ hasBroken: hasBroken(), exitCode: report.exitCode, warned: warned() }).toEqual({ hasBroken: true, exitCode: 0, warned: [] });
      expect(await other.find('acme')).toMatchObject({ status: 'deprovisioned' });
    });
  });
});
