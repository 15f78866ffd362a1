import { existsSync } from 'node:fs';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { expect, onTestFinished, test } from 'vitest';
import { describeOn } from '../rig/require.js';
import { createMongoScene, openSceneProject } from './engine-scene.js';
import { readJsonRun } from './scene.js';

describeOn('mongodb', () => {
  test('a time series, which mongodump alone can dump, is said before anything is touched', { timeout: 120_000 }, async () => {
    const scene = await createMongoScene();
    const project = await openSceneProject(
      scene,
      `backups: { directory: './backups' }, hooks: { beforeBackup: async ({ root }) => {
        (await import('node:fs')).appendFileSync(root + '/asked', 'x'); } },`,
    );
    const client = new MongoClient(scene.clusterUrl, { appName: 'rig' });
    onTestFinished(() => client.close());
    // Neither tool is on it, whatever there is on this machine.
    const node = path.join(project.directory, 'bin');
    const json = async (...args: string[]) => readJsonRun(await project.run(['--json', ...args], { env: { PATH: node } }));
    expect((await json('tenant', 'provision', 'acme', 'plain')).exitCode).toBe(0);
    const db = client.db(`${scene.prefix}acme`);
    await db.createCollection('readings', { timeseries: { timeField: 'at' } });
    await db.command({ createUser: 'app', pwd: 'secret', roles: ['readWrite'] });

    for (const args of [
      ['tenant', 'deprovision', 'acme', '--dry-run'],
      ['tenant', 'deprovision', 'acme', '--confirm', 'acme'],
      ['tenant', 'backup', 'acme'],
    ]) {
      const refused = await json(...args);
      const error = refused.finished.failed[0]?.error ?? refused.finished.error;
      expect([args.join(' '), refused.exitCode, error?.code]).toEqual([args.join(' '), 2, 'TENANCY_BACKUP_TOOL_MISSING']);
      expect(error?.message).toMatch(/the time series readings of .*; nothing was touched$/);
      expect(refused.of('step.finished').filter(({ step }) => step === 'cut-access' || step === 'restore-access')).toEqual([]);
    }
    const { users } = await db.command({ usersInfo: 'app' });
    expect(users).toMatchObject([{ roles: [{ role: 'readWrite' }] }]);
    expect(users[0].customData?.tenancyCut).toBeUndefined();
    expect(existsSync(path.join(project.directory, 'asked'))).toBe(false);
    expect(existsSync(path.join(project.directory, 'backups/acme'))).toBe(false);
    const shown = await project.run(['tenant', 'show', 'acme']);
    expect(shown.stdout).toMatch(/status +active/);
    expect((await json('tenant', 'backup', 'plain')).exitCode).toBe(0);
  });
});
