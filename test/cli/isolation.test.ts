import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { createScene, type Scene } from './scene.js';

const isolated = { configExtra: `isolation: 'role', secrets: { directory: './secrets' },` };
const switchable = { configExtra: `isolation: process.env.ISOLATION ?? 'none', secrets: { directory: './secrets' },` };

const urlOf = async (scene: Scene, id: string, env = {}): Promise<string> =>
  (await scene.ok(['tenant', 'show', id, '--reveal-url'], { env })).stdout.trim();

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const ourRoles = (scene: Scene): Promise<{ name: string }[]> =>
  scene.db.query(
    `SELECT rolname AS name FROM pg_roles r JOIN tenancy.registry g ON true
      WHERE shobj_description(r.oid, 'pg_authid') LIKE '%' || g.id || '%' AND rolname NOT LIKE 't\\_all\\_%' ORDER BY 1`,
  );

const listSecrets = async (scene: Scene): Promise<string[]> =>
  (await readdir(path.join(scene.directory, 'secrets'))).filter((name) => name !== '.gitignore');

describe.concurrent("isolation: 'role'", () => {
  test.for(['postgres-schema', 'postgres-database'] as const)(
    'gives a %s a login of its own, which is cut off, rotated, and gone with the tenant',
    async (driver, scope) => {
      const scene = await createScene(scope, { driver, ...isolated });
      const run = await scene.json(['tenant', 'provision', 'acme', 'beta']);
      expect(run.exitCode).toBe(0);
      const steps = run.of('step.finished').filter(({ tenant }) => tenant === 'acme');
      expect(steps.map(({ step }) => step)).toEqual(['create', 'create-login', 'migrate', 'verify', 'activate']);

      const first = await urlOf(scene, 'acme');
      expect(await ask(first, 'SELECT count(*)::int AS n FROM _tenancy_probe').catch((error: Error) => error.message)).toContain(
        'does not exist',
      );
      expect(await ask(first, 'SELECT current_user <> session_user AS is_other')).toEqual([{ is_other: false }]);
      const [file = ''] = (await listSecrets(scene)).filter((name) => name.startsWith('acme.'));
      const secret = path.join(scene.directory, 'secrets', file);
      expect((await lstat(secret)).mode & 0o777).toBe(0o600);
      expect(first).toContain(encodeURIComponent(await readFile(secret, 'utf8')));

      expect((await scene.json(['tenant', 'suspend', 'acme'])).exitCode).toBe(0);
      await expect(ask(first, 'SELECT 1')).rejects.toMatchObject({ code: '28000' });
      await scene.ok(['tenant', 'resume', 'acme']);
      expect(await ask(first, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);

      await scene.ok(['tenant', 'rotate', 'acme']);
      const second = await urlOf(scene, 'acme');
      expect(second).not.toBe(first);
      for (const url of [first, second]) expect(await ask(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      await scene.ok(['tenant', 'rotate', 'acme', '--finish']);
      await expect(ask(first, 'SELECT 1')).rejects.toMatchObject({ code: '28000' });
      expect(await ask(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect((await listSecrets(scene)).filter((name) => name.startsWith('acme.'))).toHaveLength(1);
      expect((await scene.json(['tenant', 'rotate', 'acme', '--finish'])).finished.counts['up-to-date']).toBe(1);
      await scene.ok(['tenant', 'rotate', 'acme', '--overlap', '0']);
      await expect(ask(second, 'SELECT 1')).rejects.toMatchObject({ code: '28000' });

      for (const id of ['acme', 'beta']) await scene.ok(['tenant', 'deprovision', id, '--skip-backup', '--confirm', id]);
      expect(await ourRoles(scene)).toEqual([]);
      expect(await listSecrets(scene)).toEqual([]);
      const [row] = await scene.db.query(`SELECT login, credential_ref FROM tenancy.tenants WHERE id = 'acme'`);
      expect(row).toEqual({ login: null, credential_ref: null });
    },
  );

  test('is given to tenants from before by rotate, and refused where it is off', async (scope) => {
    const scene = await createScene(scope, switchable);
    await scene.ok(['tenant', 'provision', 'acme']);
    const refused = await scene.json(['tenant', 'rotate', 'acme']);
    expect(refused.finished.failed[0]?.error?.code).toBe('TENANCY_ISOLATION_OFF');
    const env = { ISOLATION: 'role' };
    await scene.ok(['tenant', 'rotate', 'acme'], { env });
    expect(await ask(await urlOf(scene, 'acme', env), 'SELECT current_schema() AS schema')).toEqual([{ schema: 'tenant_acme' }]);
    // Once it has one, turning isolation off again neither leaves it open nor behind.
    await scene.ok(['tenant', 'suspend', 'acme']);
    await expect(urlOf(scene, 'acme').then((url) => ask(url, 'SELECT 1'))).rejects.toMatchObject({ code: '28000' });
    await scene.ok(['tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme']);
    expect(await ourRoles(scene)).toEqual([]);
  });

  test('asks where passwords go before anything is opened', async (scope) => {
    const scene = await createScene(scope, { configExtra: `isolation: 'role',` });
    const run = await scene.run(['tenant', 'provision', 'acme']);
    expect([run.exitCode, run.stderr]).toEqual([2, expect.stringContaining('the passwords have to go somewhere')]);
  });
});
