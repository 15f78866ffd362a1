import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTenancy } from '../../src/create-tenancy.js';
import type { Tenancy } from '../../src/tenancy.js';
import { repositoryRoot } from '../rig/cli.js';
import { createTestMysql, type TestMysql } from '../rig/mysql.js';
import { describeOn } from '../rig/require.js';
import { presetCases } from './preset-cases.js';

const cases = presetCases.filter(({ speaksMysql }) => speaksMysql).map((preset) => [preset.name, preset] as const);

describeOn('mariadb', () => {
  describe.each(cases)('%s over mysql-database', { timeout: 60_000 }, (_name, preset) => {
    let server: TestMysql;
    let root: string;
    let tenancy: Tenancy;

    beforeEach(async () => {
      [server, root] = await Promise.all([createTestMysql(), mkdtemp(path.join(tmpdir(), 'presets-'))]);
      await symlink(path.join(repositoryRoot, 'node_modules'), path.join(root, 'node_modules'), 'dir');
      await writeFile(path.join(root, 'package.json'), '{ "type": "module" }\n');
      await preset.write(root, 1, 'CREATE TABLE accounts (id int PRIMARY KEY)');
      tenancy = await open();
    });
    afterEach(async () => {
      await tenancy.close();
      await Promise.all([server.drop(), rm(root, { recursive: true, maxRetries: 5 })]);
    });

    async function open(): Promise<Tenancy> {
      const { url, name } = server;
      return createTenancy(
        {
          registry: { url },
          clusters: { main: { url, concurrency: 4 } },
          placement: ({ id }) => ({ cluster: 'main', driver: 'mysql-database', name: `${name}_${id}` }),
          hooks: { migrate: preset.migrator() },
          defaults: { retries: 0 },
        },
        { root },
      );
    }

    async function reopen(): Promise<void> {
      await tenancy.close();
      tenancy = await open();
    }

    const rowsOf = async (id: string): Promise<number> =>
      Number((await server.query<{ n: number }>(`SELECT count(*) AS n FROM \`${server.name}_${id}\`.\`${preset.table}\``))[0]?.n);

    it('brings every tenant to the newest version, in its own database, and does nothing after that', async () => {
      const second = await preset.write(root, 2, 'CREATE TABLE invoices (id int PRIMARY KEY)');
      const report = await tenancy.provision(['acme', 'globex']);
      expect(report, JSON.stringify(report.failed)).toMatchObject({ exitCode: 0, counts: { applied: 2 } });
      for (const id of ['acme', 'globex']) {
        expect((await tenancy.find(id)).schemaVersion).toBe(second);
        expect(await rowsOf(id)).toBe(2);
        expect(await server.query(`SELECT count(*) AS n FROM \`${server.name}_${id}\`.invoices`)).toEqual([{ n: 0 }]);
      }
      await reopen();
      expect(await tenancy.migrate({ all: true }, { forceVerify: true })).toMatchObject({ exitCode: 0, counts: { 'up-to-date': 2 } });
    });

    it('leaves the others alone where one fails, names its migration, and goes on from there', async () => {
      await tenancy.provision(['acme', 'globex']);
      await server.query(`CREATE TABLE \`${server.name}_globex\`.invoices (id int)`);
      const second = await preset.write(root, 2, 'CREATE TABLE invoices (id int PRIMARY KEY)');
      await reopen();
      const report = await tenancy.migrate({ all: true });
      expect(report).toMatchObject({ exitCode: 1, counts: { applied: 1, failed: 1 } });
      expect(report.failed[0]?.error?.message).toContain(second);
      expect(report.failed[0]?.error?.message).toContain("Table 'invoices' already exists");
      expect([await rowsOf('acme'), await rowsOf('globex')]).toEqual([2, 1]);

      await server.query(`DROP TABLE \`${server.name}_globex\`.invoices`);
      await reopen();
      expect(await tenancy.migrate({ all: true })).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
      expect(await rowsOf('globex')).toBe(2);
    });

    it('ends at once, and leaves no connection, where the run is aborted', async () => {
      await tenancy.provision(['acme']);
      await preset.write(root, 2, 'SELECT SLEEP(60)');
      await reopen();
      const abort = new AbortController();
      const migrating = tenancy.migrate({ all: true }, { signals: { abort: abort.signal } });
      await Promise.race([untilSleeping(), migrating]);
      abort.abort();
      expect(await migrating).toMatchObject({ exitCode: 130, counts: { cancelled: 1 } });
      await tenancy.close();
      await server.assertNoConnections();
      await reopen();
      expect(await rowsOf('acme')).toBe(1);
    });

    async function untilSleeping(): Promise<void> {
      const running = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(60)%' AND db = ?";
      for (;;) if ((await server.query(running, [`${server.name}_acme`])).length > 0) return;
    }
  });
});
