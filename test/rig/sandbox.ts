import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { escapeIdentifier } from 'pg';
import { createTenancy } from '../../src/create-tenancy.js';
import type { CliOptions, CliResult, StartedCli } from './cli.js';
import { type CrashProxy, createCrashProxy } from './crash.js';
import { query, withDatabase } from './postgres.js';
import { dropPreparedHomes } from './prepared-homes.js';
import { createProject, type TestProject } from './project.js';
import type { TcpProxy } from './tcp-proxy.js';

export type SandboxDriver = 'postgres-schema' | 'postgres-database';

/** The files of a project whose commands run in any number of sandboxes at once. */
export interface SandboxProjectOptions {
  readonly migrations: Readonly<Record<string, string>>;
  /** Those that a tenant is to have when it was only prepared. @default all */
  readonly before?: readonly string[];
  readonly seeds?: Readonly<Record<string, string>>;
  /** Of the cluster. @default 4 */
  readonly concurrency?: number;
  /** Further members of the config, as source text. */
  readonly configExtra?: string;
  /** So many homes are made ahead for what is provisioned, when a sandbox is prepared. @default no pool */
  readonly pool?: number;
}

/** Where the commands of one test run: a registry and a cluster in a database of their own, and nothing else's. */
export interface Sandbox {
  /** Of the registry and the cluster, as the superuser. */
  readonly url: string;
  readonly name: string;
  readonly driver: SandboxDriver;
  /** What comes before the id in the physical name of a tenant. */
  readonly prefix: string;
  run(args: readonly string[], options?: Partial<CliOptions>): Promise<CliResult>;
  start(args: readonly string[], options?: Partial<CliOptions>): Promise<StartedCli>;
  /** Provisions in this process, which is faster than a command, with the migrations that were to be there `before`. */
  prepare(ids: readonly string[]): Promise<void>;
  /** A proxy in front of the server. Closed with the sandbox. */
  openProxy(): Promise<CrashProxy>;
  /** Starts a command whose every connection goes through a proxy. */
  startThrough(proxy: Pick<TcpProxy, 'url'>, args: readonly string[]): Promise<StartedCli>;
  isLeased(id: string): Promise<boolean>;
  /** Lets every lease run out at once, as if their time had passed. */
  expireLeases(): Promise<void>;
  query<Row extends object = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<Row[]>;
  /** Of a tenant's home: a connection to look into it. */
  homeUrl(id: string): string;
  drop(): Promise<void>;
}

/** Two servers of a config are one in a sandbox; the URL comes with each command, so that one can go through a proxy. */
const configSource = (options: SandboxProjectOptions): string => `export default {
  registry: { url: process.env.SANDBOX_URL },
  clusters: { main: { url: process.env.SANDBOX_URL, concurrency: ${options.concurrency ?? 4}${
    options.pool === undefined ? '' : `, pool: { driver: process.env.SANDBOX_DRIVER, size: ${options.pool} }`
  } } },
  placement: ({ id }) => ({ cluster: 'main', driver: process.env.SANDBOX_DRIVER, name: process.env.SANDBOX_PREFIX + id }),
  migrations: { directory: './migrations' },
  ${
    options.seeds
      ? `seeds: [${Object.keys(options.seeds)
          .map((file) => `'./seeds/${file}'`)
          .join(', ')}],`
      : ''
  }
  ${options.configExtra ?? ''}
};
`;

export interface SandboxProject {
  readonly project: TestProject;
  open(serverUrl: string, driver: SandboxDriver): Promise<Sandbox>;
  remove(): Promise<void>;
}

export async function createSandboxProject(options: SandboxProjectOptions): Promise<SandboxProject> {
  const { migrations, seeds = {}, before = Object.keys(migrations) } = options;
  const files = Object.fromEntries(before.map((file) => [`before/${file}`, migrations[file] ?? '']));
  const project = await createProject({ migrations, seeds, files, config: configSource(options) });
  return {
    project,
    open: (serverUrl, driver) => openSandbox(project, serverUrl, driver, options.pool ?? 0),
    remove: () => project.remove(),
  };
}

async function openSandbox(project: TestProject, serverUrl: string, driver: SandboxDriver, pool: number): Promise<Sandbox> {
  const name = `f_${randomBytes(5).toString('hex')}`;
  const url = withDatabase(serverUrl, name);
  const prefix = driver === 'postgres-schema' ? 'tenant_' : `${name}_`;
  const environment = (through: string): Record<string, string> => ({
    SANDBOX_URL: through,
    SANDBOX_DRIVER: driver,
    SANDBOX_PREFIX: prefix,
  });
  const proxies: CrashProxy[] = [];
  await query(serverUrl, `CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE template0`);

  async function prepare(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const tenancy = await createTenancy(
      {
        registry: { url },
        clusters: { main: { url, concurrency: 8, pool: { driver, size: pool } } },
        templates: pool > 0 ? 'always' : 'auto',
        placement: ({ id }) => ({ cluster: 'main', driver, name: prefix + id }),
        migrations: { directory: path.join(project.directory, 'before') },
      },
      { root: project.directory },
    );
    try {
      const report = await tenancy.provision(ids);
      if (report.exitCode !== 0) throw new Error(`the sandbox could not be prepared: ${JSON.stringify(report.failed)}`);
      if (pool > 0) await tenancy.fillPool();
    } finally {
      await tenancy.close();
    }
  }

  return {
    url,
    name,
    driver,
    prefix,
    prepare,
    run: (args, options) => project.run(args, { ...options, env: { ...environment(url), ...options?.env } }),
    start: (args, options) => project.start(args, { ...options, env: { ...environment(url), ...options?.env } }),
    openProxy: async () => {
      const proxy = await createCrashProxy(url);
      proxies.push(proxy);
      return proxy;
    },
    startThrough: (proxy, args) => project.start(args, { env: environment(proxy.url) }),
    isLeased: async (id) => {
      const [registry] = await query<{ is_there: boolean }>(url, `SELECT to_regclass('tenancy.tenants') IS NOT NULL AS is_there`);
      if (!registry?.is_there) return false;
      return (await query(url, 'SELECT FROM tenancy.tenants WHERE id = $1 AND lease_expires_at > clock_timestamp()', [id])).length > 0;
    },
    expireLeases: async () => {
      const [registry] = await query<{ is_there: boolean }>(url, `SELECT to_regclass('tenancy.tenants') IS NOT NULL AS is_there`);
      if (registry?.is_there)
        await query(
          url,
          `UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() WHERE lease_owner IS NOT NULL;
           UPDATE tenancy.prepared_homes SET alive_until = clock_timestamp()`,
        );
    },
    query: (sql, params) => query(url, sql, params) as Promise<never>,
    homeUrl: (id) => (driver === 'postgres-schema' ? url : withDatabase(url, prefix + id)),
    drop: async () => {
      for (const proxy of proxies) await proxy.close();
      await dropPreparedHomes(url);
      const owned = `SELECT datname AS name FROM pg_database WHERE datname = $1 OR starts_with(datname, $1 || '_')`;
      for (const row of await query<{ name: string }>(serverUrl, owned, [name])) {
        await query(serverUrl, `DROP DATABASE IF EXISTS ${escapeIdentifier(row.name)} WITH (FORCE)`);
      }
    },
  };
}
