import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { query } from '../rig/postgres.js';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { describeOn } from '../rig/require.js';
import { createSandboxProject, type SandboxDriver, type SandboxProject } from '../rig/sandbox.js';
import { isWholeSweep, type SweptCommand, sweep } from './sweep.js';

const migrations = {
  '0001_accounts.sql': `CREATE EXTENSION IF NOT EXISTS citext;
CREATE TABLE counts (name text NOT NULL);
CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name citext NOT NULL UNIQUE);
INSERT INTO accounts (name) SELECT 'account ' || n FROM generate_series(1, 100) n;
INSERT INTO counts VALUES ('0001_accounts');
`,
};

const ends = { status: 'active', schema_version: '0001_accounts' };
const removal = ['tenant', 'deprovision', 'acme', '--confirm', 'acme'];

const backup: SweptCommand = { name: 'backup', args: ['tenant', 'backup', 'acme'], prepared: ['bystander', 'acme'], ends };
const restore: SweptCommand = {
  name: 'restore',
  args: ['tenant', 'restore', 'acme'],
  prepared: ['bystander', 'acme'],
  arranged: [removal],
  ends,
};
/** The one that was backed up has its name: by way of a database of its own. */
const copy: SweptCommand = {
  name: 'restore beside the one that was backed up',
  args: ['tenant', 'restore', 'original', '--as', 'acme'],
  prepared: ['bystander', 'original'],
  arranged: [['tenant', 'backup', 'original']],
  ends,
};
/** Under the name that was dumped, which is free, and renamed. */
const renaming: SweptCommand = {
  ...copy,
  name: 'restore under another name',
  arranged: [['tenant', 'deprovision', 'original', '--confirm', 'original']],
};

describeOn('postgresql-client', () => {
  describe('18 backup: killed anywhere in a backup or a restore, the same command once more ends as if nothing had happened', {
    timeout: isWholeSweep ? 3_600_000 : 300_000,
  }, () => {
    let server: PrivateServer;
    let project: SandboxProject;

    beforeAll(async () => {
      [server, project] = await Promise.all([
        startPrivateServer('15'),
        createSandboxProject({ migrations, configExtra: `backups: { directory: './backups' },` }),
      ]);
    });
    afterAll(() => Promise.all([project?.remove(), server?.stop()]));

    const swept: { readonly driver: SandboxDriver; readonly command: SweptCommand }[] = [
      { driver: 'postgres-schema', command: backup },
      { driver: 'postgres-schema', command: restore },
      { driver: 'postgres-schema', command: copy },
      { driver: 'postgres-database', command: restore },
      ...(isWholeSweep ? ([{ driver: 'postgres-schema', command: renaming }] as const) : []),
    ];

    it.concurrent.for(swept)('$command.name by $driver', async ({ driver, command }, { task }) => {
      const result = await sweep(project, server.url, driver, command, { requests: 2 });
      task.meta.points = { tried: result.points, converged: result.converged };
      expect(result.failures).toEqual([]);
      expect(result.points).toBeGreaterThan(0);
    });

    it('leaves no role, no database and no part of a file', async () => {
      expect(await query(server.url, `SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenancy\\_%'`)).toEqual([]);
      expect(await query(server.url, `SELECT datname FROM pg_database WHERE datname LIKE 'tenancy\\_%'`)).toEqual([]);
      const folder = path.join(project.project.directory, 'backups');
      const files = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
      expect(files.filter((name) => /original|bystander/.test(name) && name.endsWith('.partial'))).toEqual([]);
    });
  });
});
