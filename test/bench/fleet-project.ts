import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { inTerminal } from '../rig/terminal.js';
import { benchMigrations } from './bench-migrations.js';
import { timeCommand } from './time-command.js';

/** A project over one database, with tenants that are one migration old and twelve behind. */
export interface FleetProject {
  readonly directory: string;
  /** Direct, whatever the tenants go through. */
  readonly databaseUrl: string;
  run(args: readonly string[], env?: Readonly<Record<string, string>>, isInTerminal?: boolean): Promise<number>;
  /** Registers so many more that are as the first one, `c0000001` and so on, without a home: for what never looks at one. */
  registerCopies(count: number): Promise<void>;
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
  /** Further members of the config, as source text, and what is to stand before it. */
  readonly configExtra?: string;
  readonly configHead?: string;
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
  await writeFile(path.join(directory, 'tenancy.config.ts'), config(options));
  await writeFile(path.join(migrations, '0000_base.sql'), 'CREATE TABLE base (id bigint PRIMARY KEY);\n');
  const bin = path.join(options.root, 'bin', 'tenancy.js');
  const run: (url: string, ...how: Parameters<FleetProject['run']>) => Promise<number> = (url, args, env = {}, isInTerminal = false) => {
    const [file, rest, terminal] = isInTerminal
      ? inTerminal([process.execPath, bin, ...args], { columns: 120, rows: 40 })
      : [process.execPath, [bin, ...args], {}];
    return timeCommand(file, rest, { cwd: directory, env: { BENCH_URL: url, ...terminal, ...env } });
  };

  const ids = Array.from({ length: options.tenants }, (_, index) => `t${String(index).padStart(4, '0')}`);
  await run(databaseUrl, ['tenant', 'provision', ...ids, '--quiet']);
  for (const { name: file, sql } of options.migrations ?? benchMigrations) await writeFile(path.join(migrations, `${file}.sql`), sql);
  return {
    directory,
    databaseUrl,
    run: (...how) => run(withDatabase(options.measuredUrl, name), ...how),
    registerCopies: async (count) => {
      const changes = "jsonb_build_object('id', 'c' || lpad(n::text, 7, '0'), 'name', 'tenant_c' || lpad(n::text, 7, '0'))";
      await query(
        databaseUrl,
        `INSERT INTO tenancy.tenants SELECT (jsonb_populate_record(t, ${changes})).* FROM generate_series(1, ${count}) n, tenancy.tenants t WHERE t.id = '${ids[0]}'`,
      );
      // As autovacuum would have done long ago.
      await query(databaseUrl, 'VACUUM ANALYZE');
    },
    remove: async () => {
      await query(options.serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function config({ concurrency, configExtra, configHead = '' }: FleetOptions): string {
  return `import { defineConfig } from 'tenancy-cli';
${configHead}
export default defineConfig({
  clusters: { main: { url: process.env.BENCH_URL!, concurrency: ${concurrency} } },
  placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: \`tenant_\${id}\` }),
  ${configExtra ?? "migrations: { directory: './migrations' },"}
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
