import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { escapeIdentifier } from 'pg';
import type { ClusterConfig } from '../../src/config/types.js';
import { createTenancy } from '../../src/create-tenancy.js';
import type { Tenancy } from '../../src/tenancy.js';
import type { CliOptions, CliResult, StartedCli } from './cli.js';
import { type CrashProxy, createCrashProxy } from './crash.js';
import { createProject, type TestProject } from './project.js';
import { openSandboxEngine, type SandboxDriver, type SandboxLogin, type SandboxTenant } from './sandbox-engine.js';
import type { TcpProxy } from './tcp-proxy.js';

export type { SandboxDriver } from './sandbox-engine.js';

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
  /** Each tenant has a login of its own. */
  readonly isIsolated?: boolean;
}

/** Where the commands of one test run: a registry and a cluster on one server of the driver's engine, and nothing else's. */
export interface Sandbox {
  /** Of the registry and the cluster, as one who may do all. */
  readonly url: string;
  readonly name: string;
  readonly driver: SandboxDriver;
  /** What comes before the id in the physical name of a tenant. */
  readonly prefix: string;
  /** Of the config, where references such as `file:` start. */
  readonly directory: string;
  /** Each tenant has a login of its own. */
  readonly isIsolated: boolean;
  run(args: readonly string[], options?: Partial<CliOptions>): Promise<CliResult>;
  start(args: readonly string[], options?: Partial<CliOptions>): Promise<StartedCli>;
  /** Provisions in this process, which is faster than a command, with the migrations that were to be there `before`. */
  prepare(ids: readonly string[]): Promise<void>;
  /** Deprovisions them with `--retain`, in this process; their time is over at once. */
  retain(ids: readonly string[]): Promise<void>;
  /** A proxy in front of the server. Closed with the sandbox. */
  openProxy(): Promise<CrashProxy>;
  /** Starts a command whose every connection goes through a proxy. */
  startThrough(proxy: Pick<TcpProxy, 'url'>, args: readonly string[], options?: Partial<CliOptions>): Promise<StartedCli>;
  isLeased(id: string): Promise<boolean>;
  /** Of a tenant that is registered: grows with each lease, and stays when one ends. */
  readFence(id: string): Promise<number>;
  /** Lets every lease run out at once, as if their time had passed. */
  expireLeases(): Promise<void>;
  readTenant(id: string): Promise<SandboxTenant | undefined>;
  /** All that the registry says of a tenant, but for who holds it. */
  readRecord(id: string): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Of a tenant; null where it has none. */
  readLogin(id: string): Promise<SandboxLogin | null>;
  /** Reads a tenant's `counts` as that login; resolves to who the server takes it for. */
  logIn(id: string, login: { readonly name: string; readonly password: string }): Promise<string>;
  /** What is in `counts` of a tenant's home, read as an application would: by the tenant's own login, where it has one. */
  readAsTenant(id: string): Promise<readonly string[]>;
  /** SQL, where the engine knows any. */
  query<Row extends object = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<Row[]>;
  /** Of a tenant's home: a connection to look into it. */
  homeUrl(id: string): string;
  drop(): Promise<void>;
}

/** The registry's logins, and the group of them all; what a backup has left is for a test to find. */
const OWN_ROLES = `
  SELECT rolname AS name FROM pg_roles, tenancy.registry WHERE shobj_description(pg_roles.oid, 'pg_authid') LIKE '%"registry":"' || registry.id || '"%'
     AND rolname NOT LIKE 'tenancy\\_%'`;

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
  ${options.isIsolated ? `isolation: 'role', secrets: { directory: './secrets' },` : ''}
  ${options.configExtra ?? ''}
};
`;

export interface SandboxProject {
  readonly project: TestProject;
  /** `gateway`: commands (and the proxies in front of them) connect to this instead, as to a pooler; the test itself goes to the server. */
  open(serverUrl: string, driver: SandboxDriver, gateway?: string): Promise<Sandbox>;
  remove(): Promise<void>;
}

export async function createSandboxProject(options: SandboxProjectOptions): Promise<SandboxProject> {
  const { migrations, seeds = {}, before = Object.keys(migrations) } = options;
  const files = Object.fromEntries(before.map((file) => [`before/${file}`, migrations[file] ?? '']));
  const project = await createProject({ migrations, seeds, files, config: configSource(options) });
  return {
    project,
    open: (serverUrl, driver, gateway = serverUrl) =>
      openSandbox(project, { serverUrl, gateway }, driver, { pool: options.pool ?? 0, isIsolated: options.isIsolated ?? false }),
    remove: () => project.remove(),
  };
}

/** Of an engine that has homes made ahead. */
function poolOf(driver: SandboxDriver, size: number): Pick<ClusterConfig, 'pool'> {
  return driver === 'postgres-schema' || driver === 'postgres-database' ? { pool: { driver, size } } : {};
}

async function openSandbox(
  project: TestProject,
  { serverUrl, gateway }: { readonly serverUrl: string; readonly gateway: string },
  driver: SandboxDriver,
  { pool, isIsolated }: { readonly pool: number; readonly isIsolated: boolean },
): Promise<Sandbox> {
  const engine = await openSandboxEngine(driver);
  const name = `f_${randomBytes(5).toString('hex')}`;
  const url = engine.urlOf(serverUrl, name);
  const commandUrl = engine.urlOf(gateway, name);
  const prefix = driver === 'postgres-schema' ? 'tenant_' : `${name}_`;
  const environment = (through: string): Record<string, string> => ({
    SANDBOX_URL: through,
    SANDBOX_DRIVER: driver,
    SANDBOX_PREFIX: prefix,
  });
  const proxies: CrashProxy[] = [];
  await engine.create(serverUrl, name);

  const open = (): Promise<Tenancy> =>
    createTenancy(
      {
        registry: { url },
        clusters: { main: { url, concurrency: 8, ...poolOf(driver, pool) } },
        templates: pool > 0 ? 'always' : 'auto',
        placement: ({ id }) => ({ cluster: 'main', driver, name: prefix + id }),
        migrations: { directory: path.join(project.directory, 'before') },
        ...(isIsolated ? { isolation: 'role', secrets: { directory: './secrets' } } : {}),
      },
      { root: project.directory },
    );

  async function prepare(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const tenancy = await open();
    try {
      const report = await tenancy.provision(ids);
      if (report.exitCode !== 0) throw new Error(`the sandbox could not be prepared: ${JSON.stringify(report.failed)}`);
      if (pool > 0) await tenancy.fillPool();
    } finally {
      await tenancy.close();
    }
  }

  async function retain(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const tenancy = await open();
    try {
      for (const id of ids) {
        const report = await tenancy.deprovision(id, { retain: '1ms', skipBackup: true, confirm: id });
        if (report.exitCode !== 0) throw new Error(`${id} could not be retained: ${JSON.stringify(report.failed)}`);
      }
    } finally {
      await tenancy.close();
    }
  }

  const homeUrl = (id: string): string => (driver === 'postgres-schema' ? url : engine.urlOf(serverUrl, prefix + id));
  async function readAsTenant(id: string): Promise<readonly string[]> {
    const tenancy = await open();
    try {
      return await engine.readCounts(await tenancy.connectionUrl(id));
    } finally {
      await tenancy.close();
    }
  }

  return {
    url,
    name,
    driver,
    prefix,
    directory: project.directory,
    isIsolated,
    prepare,
    retain,
    run: (args, options) => project.run(args, { ...options, env: { ...environment(commandUrl), ...options?.env } }),
    start: (args, options) => project.start(args, { ...options, env: { ...environment(commandUrl), ...options?.env } }),
    openProxy: async () => {
      const proxy = await createCrashProxy(commandUrl);
      proxies.push(proxy);
      return proxy;
    },
    startThrough: (proxy, args, options) => project.start(args, { ...options, env: { ...environment(proxy.url), ...options?.env } }),
    isLeased: (id) => engine.isLeased(url, id),
    readFence: (id) => engine.readFence(url, id),
    expireLeases: () => engine.expireLeases(url),
    readTenant: (id) => engine.readTenant(url, id),
    readRecord: (id) => engine.readRecord(url, id),
    readLogin: (id) => engine.readLogin(url, id),
    logIn: (id, login) => engine.logIn(homeUrl(id), login),
    readAsTenant,
    query: (sql, params) => engine.query(url, sql, params) as Promise<never>,
    homeUrl,
    drop: async () => {
      for (const proxy of proxies) await proxy.close();
      // They outlive the database that tells whose they are.
      const roles = isIsolated ? await engine.query(url, OWN_ROLES, []).catch(() => []) : [];
      await engine.drop(serverUrl, name);
      if (roles.length > 0) {
        const names = roles.map((row) => escapeIdentifier(String((row as { name: unknown }).name)));
        await engine.query(serverUrl, `DROP ROLE ${names.join(', ')}`, []);
      }
    },
  };
}
