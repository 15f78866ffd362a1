import { existsSync } from 'node:fs';
import { chmod, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../rig/check-invariants.js';
import { queryMysql } from '../rig/mysql.js';
import { query, withDatabase } from '../rig/postgres.js';
import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { startPrivateServer } from '../rig/private-server.js';
import { createProject, type TestProject } from '../rig/project.js';
import { findProgram, isHere, skipWithout } from '../rig/require.js';

const TOKEN = 'canary-of-the-vault-token';

/** Everything that was seen, by where. */
type Seen = Map<string, string>;

/** The command lines of all processes, as anybody on the machine sees them, taken again and again until it is stopped. */
function watchProcesses(): { stop(): Promise<string> } {
  const seen = new Set<string>();
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        if (line !== '') seen.add(line.replaceAll('\0', ' '));
      }
      await delay(2);
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await watching;
      return [...seen].join('\n');
    },
  };
}

/** What a sink of the user's does wrong: it fails, and says what it was given. */
const INDISCREET = `let p = ''; process.stdin.on('data', (d) => p += d).on('end', () => { console.log('got ' + p); console.error('cannot store ' + p); process.exit(1); })`;

/** In front of the engine's own tools: each writes down what it was started with, where a look at all processes may come too late. */
async function recordTools(project: TestProject, tools: readonly string[]): Promise<void> {
  for (const tool of tools) {
    const recorder = `#!/bin/sh\necho "${tool} $*" >> '${project.directory}/tools/calls'\nexec '${findProgram(tool)}' "$@"\n`;
    await project.write(`tools/${tool}`, recorder);
    await chmod(path.join(project.directory, 'tools', tool), 0o755);
  }
}

const configOf = (driver: string, prefix: string, tools: readonly string[]): string => `
export default {
  registry: { url: process.env.REGISTRY_URL },
  clusters: { main: { url: process.env.CLUSTER_URL } },
  placement: ({ id }) => ({ cluster: 'main', driver: '${driver}', name: '${prefix}' + id }),
  migrations: { directory: './migrations' },
  backups: { directory: './backups', tools: {${tools.map((tool) => ` '${tool}': './tools/${tool}'`)} } },
  isolation: 'role',
  secrets: process.env.INDISCREET
    ? { command: [process.execPath, '-e', process.env.INDISCREET], ref: 'vault:secret/data/{login}#password' }
    : { directory: './secrets' },
  hooks: {
    afterMigrate: async (ctx) => {
      ctx.log('it connects by ' + (await ctx.login?.url()));
      if (process.env.BROKEN) throw new Error('cannot use ' + (await ctx.login?.url()));
    },
  },
};
`;

/** Whatever the commands say, keep and leave, while a tenant with a login lives its whole life, and while things go wrong. */
async function live(
  project: TestProject,
  env: Readonly<Record<string, string>>,
  forbidden: Readonly<Record<string, string>>,
): Promise<{ seen: Seen; secrets: Set<string> }> {
  const seen: Seen = new Map();
  const secrets = new Set([TOKEN]);
  const processes = watchProcesses();
  const run = async (args: readonly string[], more: Readonly<Record<string, string>> = {}, exitCode = 0): Promise<void> => {
    const result = await project.run(args, { env: { ...env, VAULT_TOKEN: TOKEN, VAULT_ADDR: 'http://127.0.0.1:9', ...more } });
    seen.set(args.join(' '), `${seen.get(args.join(' ')) ?? ''}${result.stdout}${result.stderr}`);
    expect([args, result.exitCode, result.stderr]).toEqual([args, exitCode, result.stderr]);
    await gather();
  };
  /** Those that are stored now, since a rotation and a drop take them away. */
  const gather = async (): Promise<void> => {
    const directory = path.join(project.directory, 'secrets');
    for (const file of existsSync(directory) ? await readdir(directory) : []) {
      if (!file.startsWith('.')) secrets.add(await readFile(path.join(directory, file), 'utf8'));
    }
  };
  await run(['tenant', 'provision', 'acme', '-v']);
  await run(['tenant', 'provision', 'globex', '--json']);
  await run(['tenant', 'rotate', 'acme', '-v']);
  await run(['tenant', 'rotate', 'acme', '--finish', '--json']);
  await run(['tenant', 'suspend', 'acme', '-v']);
  await run(['tenant', 'resume', 'acme', '--json']);
  // The engine's own tools get the password of the cluster's login.
  await run(['tenant', 'backup', 'acme', '-v']);
  await run(['tenant', 'deprovision', 'acme', '--confirm', 'acme', '--json']);
  await run(['tenant', 'restore', 'acme', '-v']);
  await run(['tenant', 'restore', 'acme', '--as', 'copy', '--json']);
  await run(['tenant', 'show', 'acme', '--json']);
  await run(['config', 'print', '--json']);
  await run(['doctor', '--json'], {}, 0);
  // Each in its own way fails with a password at hand.
  await run(['tenant', 'provision', 'broken', '-v'], { BROKEN: '1' }, 1);
  await run(['tenant', 'provision', 'indiscreet', '--json'], { INDISCREET }, 1);
  await run(['tenant', 'provision', 'forbidden', '-v'], forbidden, 1);
  await run(['tenant', 'provision', 'forbidden', '--json'], forbidden, 1);
  await run(['run', 'show', 'last', '--json']);
  await run(['tenant', 'show', 'forbidden', '--json']);
  for (const id of ['acme', 'copy', 'globex', 'broken', 'indiscreet', 'forbidden'])
    await run(['tenant', 'deprovision', id, '--skip-backup', '--confirm', id, '-v']);
  seen.set('the process list', await processes.stop());
  for (const folder of ['.tenancy', 'backups']) {
    for (const entry of await readdir(path.join(project.directory, folder), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) seen.set(`${entry.name} in ${folder}`, await readFile(path.join(entry.parentPath, entry.name), 'latin1'));
  }
  expect([...seen.keys()].filter((where) => where.endsWith('in backups')).length).toBeGreaterThanOrEqual(4);
  const calls = await readFile(path.join(project.directory, 'tools/calls'), 'utf8');
  for (const tool of await readdir(path.join(project.directory, 'tools')))
    if (tool !== 'calls') expect(calls).toMatch(new RegExp(`^${tool} .*-`, 'm'));
  seen.set("the tools' command lines", calls);
  return { seen, secrets };
}

function expectNone(seen: Seen, secrets: ReadonlySet<string>): void {
  expect(secrets.size).toBeGreaterThan(5);
  for (const [where, text] of seen) {
    expect([where, text.length > 0]).toEqual([where, true]);
    for (const secret of secrets) {
      for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]) {
        expect([where, text.includes(form) ? 'has a secret' : 'is clean']).toEqual([where, 'is clean']);
      }
    }
  }
}

const PG_TOOLS = ['pg_dump', 'pg_restore'];
const MARIADB_TOOLS = ['mariadb-dump', 'mariadb'];

describe('22 secrets: no password is in what is printed, logged, kept or listed', { timeout: 240_000 }, () => {
  it('on PostgreSQL, whose log has the statements that failed', async ({ task, skip }) => {
    if (!isHere('postgresql-client')) skipWithout('postgresql-client', skip);
    // Debian's pg_dump is of this major, and none newer may be here.
    const server = await startPrivateServer('15');
    const password = 'canary/of@the#cluster';
    const narrow = 'canary-of-the-narrow-login';
    try {
      await query(server.url, `CREATE ROLE boss LOGIN SUPERUSER PASSWORD '${password}'; CREATE ROLE narrow LOGIN PASSWORD '${narrow}'`);
      await query(server.url, 'CREATE DATABASE fleet');
      await query(withDatabase(server.url, 'fleet'), 'GRANT CREATE ON DATABASE fleet TO narrow');
      // After the rig's own statements, which show what they set.
      const before = (await readFile(server.log, 'utf8')).length;
      const urlOf = (user: string, secret: string): string => {
        const url = new URL(withDatabase(server.url, 'fleet'));
        url.username = user;
        url.password = encodeURIComponent(secret);
        return url.href;
      };
      const project = await createProject({
        config: configOf('postgres-schema', 'tenant_', PG_TOOLS),
        migrations: { '0001_things.sql': 'CREATE TABLE things (id int);\n' },
      });
      await recordTools(project, PG_TOOLS);
      try {
        const boss = urlOf('boss', password);
        const { seen, secrets } = await live(project, { REGISTRY_URL: boss, CLUSTER_URL: boss }, { CLUSTER_URL: urlOf('narrow', narrow) });
        for (const secret of [password, narrow]) secrets.add(secret);
        const log = (await readFile(server.log, 'utf8')).slice(before);
        expect(log).toContain('permission denied to create role');
        expect(log).toContain('CREATE ROLE');
        seen.set("the server's log", log);
        const tables = await query<{ name: string }>(
          boss,
          `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'tenancy'`,
        );
        for (const { name } of tables) seen.set(name, JSON.stringify(await query(boss, `SELECT to_jsonb(t) FROM ${name} t`)) || '[]');
        expectNone(seen, secrets);
        await checkInvariants({ adminUrl: boss, registryUrl: boss });
        task.meta.points = { tried: seen.size, converged: seen.size };
      } finally {
        await project.remove();
      }
    } finally {
      await server.stop();
    }
  });

  it('on MariaDB, whose log has every statement', async ({ task, skip }) => {
    if (!isHere('mariadb')) skipWithout('mariadb', skip);
    if (!isHere('mariadb-client')) skipWithout('mariadb-client', skip);
    const server = await startPrivateMariadb({ general_log: '1' });
    const password = 'canary/of@the#cluster';
    const narrow = 'canary-of-the-narrow-login';
    try {
      await queryMysql(server.url, `CREATE USER boss@'%' IDENTIFIED BY '${password}'`);
      await queryMysql(server.url, `GRANT ALL PRIVILEGES ON *.* TO boss@'%' WITH GRANT OPTION`);
      await queryMysql(server.url, `CREATE USER narrow@'%' IDENTIFIED BY '${narrow}'`);
      await queryMysql(
        server.url,
        `GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, PROCESS ON *.* TO narrow@'%'`,
      );
      const [{ file } = { file: '' }] = await queryMysql<{ file: string }>(
        server.url,
        `SELECT CONCAT(@@datadir, @@general_log_file) AS file`,
      );
      const before = (await readFile(file)).length;
      const urlOf = (user: string, secret: string): string => {
        const url = new URL(server.url);
        url.username = user;
        url.password = encodeURIComponent(secret);
        return url.href;
      };
      const project = await createProject({
        config: configOf('mysql-database', 'tenant_', MARIADB_TOOLS),
        migrations: { '0001_things.sql': 'CREATE TABLE things (id int);\n' },
      });
      await recordTools(project, MARIADB_TOOLS);
      try {
        const boss = urlOf('boss', password);
        const { seen, secrets } = await live(project, { REGISTRY_URL: boss, CLUSTER_URL: boss }, { CLUSTER_URL: urlOf('narrow', narrow) });
        for (const secret of [password, narrow]) secrets.add(secret);
        const log = (await readFile(file)).subarray(before).toString('latin1');
        expect(log).toMatch(/CREATE USER IF NOT EXISTS 't_[0-9a-f]+_a'@'%' IDENTIFIED VIA mysql_native_password USING '\*[0-9A-F]{40}'/);
        seen.set("the server's log", log);
        const tables = await queryMysql<{ name: string }>(
          boss,
          `SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ('tenancy', '_tenancy')`,
        );
        expect(tables.length).toBeGreaterThan(5);
        for (const { name } of tables) seen.set(name, JSON.stringify(await queryMysql(boss, `SELECT * FROM ${name}`)));
        expectNone(seen, secrets);
        await checkInvariants({ adminUrl: boss, registryUrl: withDatabase(boss, 'tenancy'), homePrefix: 'tenant_' });
        task.meta.points = { tried: seen.size, converged: seen.size };
      } finally {
        await project.remove();
      }
    } finally {
      await server.stop();
    }
  });
});
