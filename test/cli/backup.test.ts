import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertDocument } from '../rig/events-schema.js';
import { query, withDatabase } from '../rig/postgres.js';
import { canaryPassword, type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { createProject, type TestProject } from '../rig/project.js';
import { describeOn, findProgram } from '../rig/require.js';
import { readJsonRun } from './scene.js';

const config = `
const url = process.env.APP_URL;
export default {
  clusters: { main: { url } },
  placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
  migrations: { directory: './migrations' },
  backups: { directory: process.env.BACKUPS ?? './backups', ...(process.env.PG_DUMP ? { tools: { pg_dump: process.env.PG_DUMP } } : {}) },
  ...(process.env.ISOLATED ? { isolation: 'role', secrets: { directory: './secrets' } } : {}),
  hooks: { verify: () => { if (process.env.VERIFY_FAILS) throw new Error('not fit'); }, afterBackup: async ({ backup, log, root }) => {
    const { appendFileSync } = await import('node:fs');
    appendFileSync(root + '/shipped', JSON.stringify(backup) + '\\n');
    if (process.env.SHIPPING_FAILS) throw new Error('the bucket is full');
  } },
};
`;

describeOn('postgresql-client', () => {
  describe('tenant backup and tenant restore', { timeout: 120_000 }, () => {
    let server: PrivateServer;
    let project: TestProject;
    let url: string;

    beforeAll(async () => {
      server = await startPrivateServer('15');
      const name = `t_${randomBytes(5).toString('hex')}`;
      url = withDatabase(server.url, name);
      await query(server.url, `CREATE DATABASE ${name}`);
      project = await createProject({ config });
      await tenancy(['tenant', 'provision', 'acme', 'globex']);
    });
    afterAll(async () => {
      await project?.remove();
      await server?.stop();
    });

    async function tenancy(args: readonly string[], exitCode = 0, env: Record<string, string> = {}): Promise<string> {
      const result = await project.run(args, { env: { APP_URL: url, ...env } });
      expect(result, args.join(' ')).toMatchObject({ exitCode });
      return `${result.stdout}${result.stderr}`;
    }
    const folder = (id: string): string => path.join(project.directory, 'backups', id);
    const filesOf = (id: string): readonly string[] => (existsSync(folder(id)) ? readdirSync(folder(id)) : []);
    const dumpsOf = (id: string): readonly string[] => filesOf(id).filter((name) => name.endsWith('.dump'));
    const schemas = async (): Promise<readonly string[]> =>
      (await query<{ name: string }>(url, `SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^tenant_' ORDER BY 1`)).map(
        ({ name }) => name,
      );

    it('makes one of each, for its owner alone, and tells the hook, the events and the lists of it', async () => {
      const result = await project.run(['tenant', 'backup', '--all', '--json'], { env: { APP_URL: url } });
      const run = readJsonRun(result);
      expect(run.finished).toMatchObject({ exitCode: 0, counts: { applied: 2 } });
      const [told] = run.of('backup.finished').filter(({ tenant }) => tenant === 'acme');
      expect(dumpsOf('acme')).toEqual([path.basename(told?.path ?? '')]);
      expect(statSync(told?.path ?? '').mode & 0o777).toBe(0o600);
      const shipped = readFileSync(path.join(project.directory, 'shipped'), 'utf8');
      expect(shipped).toContain(JSON.stringify(told?.sha256));
      const listed = await project.run(['tenant', 'backups', 'acme', '--json'], { env: { APP_URL: url } });
      const document = assertDocument('backupList', listed.stdout) as unknown as { backups: readonly object[] };
      expect(document.backups).toMatchObject([{ id: told?.backup, path: told?.path, sha256: told?.sha256, bytes: told?.bytes }]);
      expect(await tenancy(['tenant', 'show', 'acme'])).toContain(told?.backup);
      // The tenants are as they were.
      expect(await tenancy(['tenant', 'migrate', '--all'])).toContain('2 tenants up to date');
    });

    it('says with --dry-run what it would make of which, refuses what a restore would, and writes nothing', async () => {
      const before = [await schemas(), await tenancy(['tenant', 'list', '--json'])];
      const [dump = ''] = dumpsOf('acme');
      const told = readJsonRun(
        await project.run(['tenant', 'restore', 'acme', '--as', 'x', '--dry-run', '--json'], { env: { APP_URL: url } }),
      );
      expect(told.finished).toMatchObject({ command: 'restore', exitCode: 0, counts: { applied: 0, 'not-started': 1 } });
      const [planned] = told.of('tenant.planned');
      expect(planned).toMatchObject({ tenant: 'x', name: 'tenant_x', steps: ['create', 'load', 'verify', 'activate'] });
      expect(planned?.restored?.path).toBe(path.join(folder('acme'), dump));
      const printed = await tenancy(['tenant', 'restore', 'acme', '--as', 'x', '--dry-run']);
      expect(printed).toContain('would restore 1 tenant; nothing was written');
      expect(printed).toContain(dump);
      await tenancy(['tenant', 'restore', 'acme', '--dry-run'], 4);
      await tenancy(['tenant', 'restore', 'nobody', '--dry-run'], 2);
      await tenancy(['tenant', 'restore', 'acme', '--as', 'Globex', '--dry-run'], 2);
      expect([await schemas(), await tenancy(['tenant', 'list', '--json'])]).toEqual(before);
    });

    it("refuses what would overwrite, what is not there, what is another's, and what was changed, and writes nothing", async () => {
      const before = await schemas();
      expect(await tenancy(['tenant', 'restore', 'acme'], 4)).toContain('--as');
      await tenancy(['tenant', 'restore', 'nobody'], 2);
      await tenancy(['tenant', 'restore', 'acme', '--from', 'none2345', '--as', 'x'], 2);
      await tenancy(['tenant', 'restore', 'acme', '--from', '../../etc/passwd', '--as', 'x'], 2);
      const [dump = ''] = dumpsOf('acme');
      const file = path.join(folder('acme'), dump);
      expect(await tenancy(['tenant', 'restore', 'globex', '--from', file, '--as', 'x'], 4)).toContain('is a backup of acme');
      const bytes = readFileSync(file);
      const at = Math.floor(bytes.length / 2);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      writeFileSync(file, bytes);
      expect(await tenancy(['tenant', 'restore', 'acme', '--as', 'x'], 4)).toContain('is not what was backed up');
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      writeFileSync(file, bytes);
      // Nor what was changed together with its manifest.
      const manifest = readFileSync(`${file}.json`, 'utf8');
      writeFileSync(`${file}.json`, manifest.replace(/"sha256": "[0-9a-f]{8}/, '"sha256": "00000000'));
      expect(await tenancy(['tenant', 'restore', 'acme', '--as', 'x'], 4)).toContain('the registry has another digest');
      writeFileSync(`${file}.json`, manifest);
      expect(await schemas()).toEqual(before);
      await tenancy(['tenant', 'show', 'x'], 2);
    });

    it('says of a tool that is missing or too old what to install, before anything is touched', async () => {
      const before = filesOf('acme');
      const missing = await tenancy(['tenant', 'backup', 'acme'], 2, { PG_DUMP: '/nonexistent/pg_dump' });
      expect(missing).toMatch(/pg_dump is needed, and was not found[^]*apt install postgresql-client-15/);
      const old = path.join(project.directory, 'pg_dump');
      writeFileSync(old, '#!/bin/sh\necho "pg_dump (PostgreSQL) 11.4"\n', { mode: 0o755 });
      expect(await tenancy(['tenant', 'backup', 'acme'], 2, { PG_DUMP: old })).toContain('pg_dump 11.4');
      expect(await tenancy(['tenant', 'deprovision', 'acme', '--confirm', 'acme'], 2, { PG_DUMP: old })).toContain(
        'too old for PostgreSQL 15',
      );
      expect(filesOf('acme')).toEqual(before);
      expect(await tenancy(['tenant', 'show', 'acme'])).toMatch(/status +active/);
    });

    it("says where a directory can't be written to, and leaves nothing where a dump fails half way", async () => {
      writeFileSync(path.join(project.directory, 'occupied'), '');
      expect(await tenancy(['tenant', 'backup', 'acme'], 2, { BACKUPS: './occupied' })).toMatch(/no backup can be written to/);
      const failing = path.join(project.directory, 'failing', 'pg_dump');
      mkdirSync(path.dirname(failing));
      // Writes a part of it, as on a disk that is full.
      writeFileSync(
        failing,
        `#!/bin/sh\ncase "$*" in --version) exec ${findProgram('pg_dump')} --version;; esac\nfor last; do :; done\necho half >"$last"\necho 'pg_dump: error: could not write to file: No space left on device' >&2\nexit 1\n`,
      );
      chmodSync(failing, 0o755);
      const before = filesOf('acme');
      expect(await tenancy(['tenant', 'deprovision', 'acme', '--confirm', 'acme'], 1, { PG_DUMP: failing })).toContain('the disk is full');
      expect(filesOf('acme')).toEqual(before);
      // Called off: it goes on as it was.
      expect(await tenancy(['tenant', 'show', 'acme'])).toMatch(/status +active/);
    });

    it("calls a deprovision off where what was made can't be shipped", async () => {
      expect(await tenancy(['tenant', 'deprovision', 'acme', '--confirm', 'acme'], 1, { SHIPPING_FAILS: '1' })).toContain(
        'the bucket is full',
      );
      expect(await tenancy(['tenant', 'show', 'acme'])).toMatch(/status +active/);
      expect(await schemas()).toContain('tenant_acme');
    });

    it('gives no password to a command line, and logs none', async () => {
      const spy = path.join(project.directory, 'spy', 'pg_dump');
      mkdirSync(path.dirname(spy));
      writeFileSync(
        spy,
        `#!/bin/sh\ncase "$*" in --version) ;; *) echo "$@" >>"${project.directory}/args"; echo "user $PGUSER" >>"${project.directory}/args"; cat /proc/$$/cmdline >>"${project.directory}/args";; esac\nexec ${findProgram('pg_dump')} "$@"\n`,
      );
      chmodSync(spy, 0o755);
      await tenancy(['tenant', 'backup', 'acme'], 0, { PG_DUMP: spy });
      const args = readFileSync(path.join(project.directory, 'args'), 'utf8');
      expect(args).not.toContain(canaryPassword);
      // Never as the superuser that the cluster's login is.
      expect(args).toMatch(/user tenancy_dump_[0-9a-f]+/);
      expect(readFileSync(server.log, 'utf8')).not.toContain(canaryPassword);
    });

    it('restores no routine whose text would go on working on the one that was backed up', async () => {
      await query(url, `CREATE FUNCTION tenant_globex.raid() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM tenant_globex.accounts'`);
      await query(
        url,
        `CREATE FUNCTION tenant_globex.safe() RETURNS bigint LANGUAGE sql SET search_path = tenant_globex, pg_temp AS 'SELECT count(*) FROM accounts'`,
      );
      await tenancy(['tenant', 'backup', 'globex']);
      expect(await tenancy(['tenant', 'restore', 'globex', '--as', 'raider'], 4)).toContain('tenant_globex.raid()');
      expect(await tenancy(['tenant', 'show', 'raider'])).toMatch(/status +failed/);
      await tenancy(['tenant', 'deprovision', 'raider', '--skip-backup', '--confirm', 'raider']);
      await query(url, 'DROP FUNCTION tenant_globex.raid()');
      await tenancy(['tenant', 'backup', 'globex']);
      await tenancy(['tenant', 'restore', 'globex', '--as', 'twin']);
      await query(url, "INSERT INTO tenant_twin.accounts (name) VALUES ('one more')");
      const [twin] = await query<{ n: string; path: string }>(
        url,
        `SELECT tenant_twin.safe() AS n, (SELECT proconfig::text FROM pg_proc WHERE oid = 'tenant_twin.safe()'::regprocedure) AS path`,
      );
      expect(twin).toMatchObject({ n: '1', path: '{"search_path=tenant_twin, pg_temp"}' });
      expect(await query(url, `SELECT datname FROM pg_database WHERE datname LIKE 'tenancy_%'`)).toEqual([]);
    });

    it('gives a tenant one login, also where the restore was begun twice', async () => {
      const isolated = { ISOLATED: '1' };
      await tenancy(['tenant', 'provision', 'single'], 0, isolated);
      await tenancy(['tenant', 'backup', 'single'], 0, isolated);
      const restore = ['tenant', 'restore', 'single', '--as', 'double'];
      await tenancy(restore, 1, { ...isolated, VERIFY_FAILS: '1' });
      await tenancy(restore, 0, isolated);
      const [row] = await query<{ previous: unknown; stored: string }>(
        url,
        `SELECT login -> 'previous' AS previous, credential_ref AS stored FROM tenancy.tenants WHERE id = 'double'`,
      );
      const stored = readdirSync(path.join(project.directory, 'secrets')).filter((name) => name.startsWith('double.'));
      expect([row?.previous, row?.stored]).toEqual([null, `file:secrets/${stored.join()}`]);
      for (const id of ['single', 'double']) await tenancy(['tenant', 'deprovision', id, '--skip-backup', '--confirm', id], 0, isolated);
    });

    it('is brought back by a registry that knows nothing of it', async () => {
      await tenancy(['tenant', 'deprovision', 'globex', '--confirm', 'globex']);
      await query(url, 'DROP SCHEMA tenancy CASCADE');
      await tenancy(['tenant', 'restore', 'globex'], 2);
      await tenancy(['registry', 'init']);
      await tenancy(['tenant', 'restore', 'globex']);
      expect(await schemas()).toContain('tenant_globex');
      await tenancy(['tenant', 'migrate', 'globex', '--force-verify']);
    });
  });
});
