import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { createProject } from '../rig/project.js';

test('embedded start, status and stop tell where it is, and what a command started it also stops', async ({ onTestFinished }) => {
  const data = await mkdtemp(path.join(os.tmpdir(), 'embedded-cli-'));
  const project = await createProject({ databaseUrl: `embedded:${data}/postgres` });
  onTestFinished(async () => {
    await project.run(['embedded', 'stop', '--force']);
    await project.remove();
    await rm(data, { recursive: true, force: true });
  });
  const status = async (): Promise<{ status: string; url?: string }> =>
    JSON.parse((await project.run(['embedded', 'status', '--json'])).stdout);
  expect((await project.run(['embedded', 'status'])).stdout).toContain('not made yet');
  expect((await project.run(['embedded', 'status', '--url'])).exitCode).not.toBe(0);

  const provisioned = await project.run(['tenant', 'provision', 'acme']);
  expect([provisioned.exitCode, provisioned.stdout]).toEqual([0, expect.stringContaining('embedded start')]);
  expect((await status()).status).toBe('stopped');

  const started = await project.run(['embedded', 'start']);
  expect([started.exitCode, started.stdout]).toEqual([0, expect.stringContaining('tenancy embedded stop')]);
  const running = await status();
  expect(running.status).toBe('running');
  const { stdout: url } = await project.run(['embedded', 'status', 'main', '--url']);
  const { password } = new URL(url.trim());
  expect(password).not.toBe('');
  expect(JSON.stringify(running) + started.stdout + started.stderr).not.toContain(password);
  const client = new Client({ connectionString: url.trim() });
  await client.connect();
  expect((await client.query('SELECT status FROM tenancy.tenants')).rows).toEqual([{ status: 'active' }]);
  await client.end();
  expect((await project.run(['tenant', 'migrate', '--all'])).exitCode).toBe(0);
  expect((await status()).status).toBe('running');

  expect((await project.run(['embedded', 'stop'])).stdout).toContain('stopped');
  expect((await project.run(['embedded', 'stop'])).stdout).toContain('not running');
  expect((await project.run(['embedded', 'start', 'nowhere'])).exitCode).toBe(2);
});
