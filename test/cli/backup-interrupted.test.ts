import { readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { query } from '../rig/postgres.js';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { createProject, type TestProject } from '../rig/project.js';
import { describeOn, findProgram } from '../rig/require.js';
import { type JsonRun, readJsonRun } from './scene.js';

/** Where it is asked to dump something, it writes a part of that and then kills who has started it. */
const dying = `#!/bin/sh
case "$*" in --version) exec ${findProgram('pg_dump')} --version;; esac
while [ "$1" != --file ]; do shift; done
echo half >"$2"
kill -9 "$PPID"
`;

describeOn('postgresql-client', () => {
  describe('of a backup that was killed, the removal of its tenant without another', { timeout: 120_000 }, () => {
    let server: PrivateServer;
    let project: TestProject;
    let temporary: string;

    beforeAll(async () => {
      [server, temporary] = await Promise.all([startPrivateServer('15'), mkdtemp(path.join(os.tmpdir(), 'tenancy-'))]);
      const config = `export default {
        registry: { url: process.env.APP_URL },
        clusters: { main: { url: process.env.APP_URL } },
        placement: ({ id }) => ({ cluster: 'main', driver: id.startsWith('s') ? 'postgres-schema' : 'postgres-database', name: 'tenant_' + id }),
        migrations: { directory: './migrations' },
        backups: { directory: './backups', tools: { pg_dump: process.env.PG_DUMP } },
        hooks: process.env.KEEPS ? { drop: ({ db }) => db.query('ALTER SCHEMA "tenant_s-hooli" RENAME TO kept') } : {},
      };`;
      project = await createProject({ config });
      await project.write('tools/pg_dump', dying);
      await chmod(path.join(project.directory, 'tools', 'pg_dump'), 0o755);
      await tenancy(['tenant', 'provision', 's-acme', 's-globex', 'd-acme', 'd-globex']);
    });
    afterAll(async () => {
      await project?.remove();
      await server?.stop();
      if (temporary !== undefined) await rm(temporary, { recursive: true });
    });

    const run = (args: readonly string[], pgDump: string, env: Record<string, string> = {}) =>
      project.run(args, { env: { APP_URL: server.url, PG_DUMP: pgDump, TMPDIR: temporary, ...env } });
    async function tenancy(args: readonly string[], env: Record<string, string> = {}): Promise<void> {
      expect(await run(args, findProgram('pg_dump') ?? '', env), args.join(' ')).toMatchObject({ exitCode: 0 });
    }
    const rolesLeft = async (): Promise<readonly string[]> =>
      (await query<{ name: string }>(server.url, `SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'tenancy\\_%'`)).map(
        ({ name }) => name,
      );
    const left = async (id: string) => ({
      roles: await rolesLeft(),
      drafts: readdirSync(path.join(project.directory, 'backups', id)),
      scratch: readdirSync(temporary).filter((name) => name.startsWith('tenancy-')),
    });
    async function killBackup(id: string): Promise<void> {
      const killed = await run(['tenant', 'backup', id], path.join(project.directory, 'tools', 'pg_dump'));
      expect(killed.signal).toBe('SIGKILL');
      // Nobody renews it any more.
      await query(server.url, 'UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() WHERE lease_owner IS NOT NULL');
      expect(await left(id)).toEqual({
        roles: [expect.stringMatching(/^tenancy_dump_/)],
        drafts: [expect.stringMatching(/\.partial$/)],
        scratch: [expect.any(String)],
      });
    }
    const nothing = { roles: [], drafts: [], scratch: [] };

    it.each(['s-acme', 'd-acme'])('leaves nothing: deprovision of %s', async (id) => {
      await killBackup(id);
      await tenancy(['tenant', 'deprovision', id, '--skip-backup', '--confirm', id]);
      expect(await left(id)).toEqual(nothing);
    });

    it.each(['s-globex', 'd-globex'])('leaves nothing: retention and purge of %s', async (id) => {
      await killBackup(id);
      await tenancy(['tenant', 'deprovision', id, '--skip-backup', '--retain', '30d', '--confirm', id]);
      await tenancy(['tenant', 'purge', id, '--early', '--confirm', id]);
      expect(await left(id)).toEqual(nothing);
    });

    it('has verify find what nobody has come back for, and take it away', async () => {
      await tenancy(['tenant', 'provision', 's-stark']);
      const quiet = await run(['tenant', 'verify', '--all', '--exit-code', '--json'], findProgram('pg_dump') ?? '');
      expect(quiet).toMatchObject({ exitCode: 0 });
      await killBackup('s-stark');
      const found = readJsonRun(await run(['tenant', 'verify', '--all', '--exit-code', '--json'], findProgram('pg_dump') ?? ''));
      const [name = ''] = await rolesLeft();
      const tell = (verified: JsonRun) =>
        verified
          .of('tenant.finding')
          .flatMap(({ code, tenant, name: of, status }) => (code === 'lease-left' ? [] : [{ code, tenant, name: of, status }]));
      const left = { code: 'draft-left', tenant: 's-stark', name };
      expect([found.exitCode, tell(found)]).toEqual([3, [{ ...left, status: 'found' }]]);
      const fixed = readJsonRun(await run(['tenant', 'verify', '--all', '--fix', '--exit-code', '--json'], findProgram('pg_dump') ?? ''));
      expect([fixed.exitCode, tell(fixed)]).toEqual([0, [{ ...left, status: 'fixed' }]]);
      expect(await rolesLeft()).toEqual([]);
      await tenancy(['tenant', 'backup', 's-stark']);
    });

    it('leaves alone what a drop hook has put aside', async () => {
      await tenancy(['tenant', 'provision', 's-hooli']);
      await killBackup('s-hooli');
      await tenancy(['tenant', 'deprovision', 's-hooli', '--skip-backup', '--confirm', 's-hooli'], { KEEPS: '1' });
      expect(await left('s-hooli')).toEqual(nothing);
      expect(
        await query(server.url, `SELECT relname FROM pg_class WHERE relnamespace = 'kept'::regnamespace AND relname = 'accounts'`),
      ).toHaveLength(1);
    });

    it('does not wait for a tool that has outlived its command', async () => {
      await tenancy(['tenant', 'provision', 's-initech']);
      await killBackup('s-initech');
      const [name = ''] = await rolesLeft();
      const tool = new Client({ connectionString: server.url, application_name: name });
      const ended = new Promise<Error>((resolve) => tool.on('error', resolve));
      await tool.connect();
      await tool.query('BEGIN; LOCK TABLE "tenant_s-initech".accounts IN ACCESS SHARE MODE');
      await tenancy(['tenant', 'deprovision', 's-initech', '--skip-backup', '--confirm', 's-initech']);
      expect(await ended).toMatchObject({ message: expect.stringMatching(/terminat/) });
      expect(await left('s-initech')).toEqual(nothing);
    });
  });
});
