import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { benchMigrations } from './bench-migrations.js';
import { timeCommand } from './time-command.js';

/** A project over one database, with tenants that are one migration old and twelve behind. */
export interface FleetProject {
  readonly directory: string;
  /** Direct, whatever the tenants go through. */
  readonly databaseUrl: string;
  run(args: readonly string[]): Promise<number>;
  remove(): Promise<void>;
}

export interface FleetOptions {
  readonly root: string;
  /** The server's URL, direct. */
  readonly serverUrl: string;
  /** Where the measured commands connect: the same server, perhaps through a proxy. */
  readonly measuredUrl: string;
  readonly tenants: number;
  readonly concurrency: number;
  readonly migrations?: readonly { readonly name: string; readonly sql: string }[];
}

let made = 0;

export async function createFleetProject(options: FleetOptions): Promise<FleetProject> {
  made += 1;
  const name = `bench_${process.pid}_${made}`;
  const directory = await mkdtemp(path.join(os.tmpdir(), 'tenancy-bench-'));
  const databaseUrl = withDatabase(options.serverUrl, name);
  await query(options.serverUrl, `CREATE DATABASE ${name}`);
  const migrations = path.join(directory, 'migrations');
  await mkdir(path.join(directory, 'node_modules'), { recursive: true });
  await mkdir(migrations);
  await symlink(options.root, path.join(directory, 'node_modules', 'tenancy-cli'));
  await writeFile(path.join(directory, 'package.json'), '{ "type": "module" }\n');
  await writeFile(path.join(directory, 'tenancy.config.ts'), config(options.concurrency));
  await writeFile(path.join(migrations, '0000_base.sql'), 'CREATE TABLE base (id bigint PRIMARY KEY);\n');
  const bin = path.join(options.root, 'bin', 'tenancy.js');
  const run = (url: string, args: readonly string[]): Promise<number> =>
    timeCommand(process.execPath, [bin, ...args], { cwd: directory, env: { BENCH_URL: url } });

  const ids = Array.from({ length: options.tenants }, (_, index) => `t${String(index).padStart(4, '0')}`);
  await run(databaseUrl, ['tenant', 'provision', ...ids, '--quiet']);
  for (const { name: file, sql } of options.migrations ?? benchMigrations) await writeFile(path.join(migrations, `${file}.sql`), sql);
  return {
    directory,
    databaseUrl,
    run: (args) => run(withDatabase(options.measuredUrl, name), args),
    remove: async () => {
      await query(options.serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function config(concurrency: number): string {
  return `import { defineConfig } from 'tenancy-cli';
export default defineConfig({
  clusters: { main: { url: process.env.BENCH_URL!, concurrency: ${concurrency} } },
  placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: \`tenant_\${id}\` }),
  migrations: { directory: './migrations' },
});
`;
}

export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

export async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url, application_name: 'bench' });
  await client.connect();
  try {
    return (await client.query(sql)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}
