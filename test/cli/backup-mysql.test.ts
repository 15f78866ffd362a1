import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { queryMysql } from '../rig/mysql.js';
import { describeOn } from '../rig/require.js';
import { createMysqlScene, openSceneProject } from './engine-scene.js';
import { readJsonRun } from './scene.js';

describeOn('mariadb', () => {
  test('a tool that is older than the server is refused, whatever else there is', { timeout: 120_000 }, async () => {
    const scene = await createMysqlScene();
    const project = await openSceneProject(scene, `backups: { directory: './backups' },`);
    expect(readJsonRun(await project.run(['--json', 'tenant', 'provision', 'acme'])).exitCode).toBe(0);
    const [row] = await queryMysql<{ v: string }>(scene.clusterUrl, 'SELECT VERSION() AS v');
    const [major = 0, minor = 0] = (row?.v ?? '').split('.').map(Number);

    let folders = 0;
    /** What the plan says, where these programs, by what they say of their versions, are all that is on `PATH`. */
    async function plan(tools: Readonly<Record<string, string>>): Promise<string> {
      const folder = path.join(project.directory, `bin${++folders}`);
      mkdirSync(folder);
      for (const [name, version] of Object.entries(tools)) {
        writeFileSync(path.join(folder, name), `#!/bin/sh\necho '${version}'\n`);
        chmodSync(path.join(folder, name), 0o755);
      }
      const args = ['--json', 'tenant', 'deprovision', 'acme', '--dry-run'];
      const run = readJsonRun(await project.run(args, { env: { PATH: folder } }));
      const [planned] = run.of('tenant.planned');
      return planned?.backup?.tool ?? `${run.exitCode} ${run.finished.error?.code} ${run.finished.error?.message}`;
    }
    const mariadb = (version: string) => ({
      'mariadb-dump': `mariadb-dump from ${version}-MariaDB, client 10.19 for Linux (x86_64)`,
      mariadb: `mariadb from ${version}-MariaDB, client 15.2 for Linux (x86_64)`,
    });
    const mysql = { mysqldump: 'mysqldump  Ver 9.9.1 for Linux on x86_64', mysql: 'mysql  Ver 9.9.1 for Linux on x86_64' };

    expect(await plan(mariadb(`${major}.${minor}.1`))).toContain(`mariadb-dump ${major}.${minor}.1`);
    expect(await plan(mariadb(`${major + 1}.0.1`))).toContain(`mariadb-dump ${major + 1}.0.1`);
    expect(await plan(mysql)).toContain('mysqldump 9.9.1');
    const old = minor > 0 ? `${major}.${minor - 1}.30` : `${major - 1}.99.30`;
    for (const tools of [mariadb(old), { ...mariadb(old), ...mysql }]) {
      expect(await plan(tools)).toMatch(`2 TENANCY_BACKUP_TOOL_REFUSED cluster main: mariadb-dump ${old}`);
    }
    // As Debian had it: by the other's name, with the number of the protocol before its own.
    const disguised = `mysqldump  Ver 10.19 Distrib ${old}-MariaDB, for debian-linux-gnu (x86_64)`;
    expect(await plan({ mysqldump: disguised, mysql: mysql.mysql })).toContain('TENANCY_BACKUP_TOOL_REFUSED');
    expect(await plan({})).toContain('TENANCY_BACKUP_TOOL_MISSING');
  });
});
