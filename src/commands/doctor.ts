import path from 'node:path';
import { resolveUrl } from '../config/resolve-url.js';
import type { ResolvedConfig } from '../config/types.js';
import type { ExitCode } from '../errors/define.js';
import { createRunMigrator } from '../lifecycle/migrator.js';
import type { Registry } from '../registry/registry.js';
import { printDoctor, toDoctorDocument } from '../reporters/documents/doctor-document.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import { countConnections } from '../runs/check-clusters.js';
import { capTenants } from '../runs/lanes.js';
import type { Workspace } from '../runs/workspace.js';
import type { DriverName } from '../tenant.js';
import type { CommandContext } from './context.js';
import { checkPools, checkTemplates } from './doctor/check-ahead.js';
import { checkCluster } from './doctor/check-cluster.js';
import { checkEmbedded } from './doctor/check-embedded.js';
import { checkMigrations } from './doctor/check-migrations.js';
import { checkNode } from './doctor/check-node.js';
import { checkRegistry } from './doctor/check-registry.js';
import { findDrivers } from './doctor/find-drivers.js';
import { chooseExit, type Finding, failedBy, ok, warning } from './doctor/findings.js';
import { loadProject } from './with-tenancy.js';

/** Looks at everything a run relies on, and changes none of it. A check that fails stops no other. */
export async function runDoctor(context: CommandContext): Promise<ExitCode> {
  const findings = [checkNode(context.nodeVersion), ...(await checkProject(context))];
  const document = toDoctorDocument(findings.map(({ exit: _, ...check }) => check));
  await writeDocument(document, printDoctor, { ...context, ...context.globals });
  return chooseExit(findings);
}

async function checkProject(context: CommandContext): Promise<readonly Finding[]> {
  let config: ResolvedConfig;
  try {
    config = await loadProject(context, 'doctor');
  } catch (error) {
    const rest = ['migrations', 'registry', 'clusters'].map((name) => warning(name, 'not looked at: there is no config to look by'));
    return [failedBy('config', error), ...rest];
  }
  const { openTenancy } = await import('../tenancy.js');
  const tenancy = openTenancy(config);
  context.closeAtExit(() => tenancy.close());
  const [embedded, migrations] = await Promise.all([checkEmbeddedServers(context, config), checkMigrations(config)]);
  const names = Object.keys(config.clusters);
  const { findings, registry } = await checkRegistry(() => tenancy.workspace.registry(), names);
  const clusters = await Promise.all(names.map((name) => checkOneCluster(tenancy.workspace, name, registry)));
  const file = ok('config', config.file === null ? 'passed as an object' : path.relative(context.cwd, config.file));
  const drivers = await Promise.all(names.map((name) => findDrivers(name, config, registry).catch(() => new Set<DriverName>())));
  const templates = await checkTemplates(config, new Set(drivers.flatMap((found) => [...found])));
  const pools = registry === null ? [] : await checkPools(tenancy);
  return [file, migrations, ...embedded, ...findings, ...clusters.flat(), ...templates, ...pools];
}

async function checkOneCluster(workspace: Workspace, name: string, registry: Registry | null): Promise<readonly Finding[]> {
  const { config } = workspace;
  try {
    // Without a registry: one would remember the server, and refuse to open another behind the same name.
    const engine = await workspace.clusters(null).engine(name, 'doctor');
    const drivers = await findDrivers(name, config, registry);
    return await checkCluster({ name, engine, registry, drivers, ...(await countInFlight(config, name, drivers)) });
  } catch (error) {
    return [failedBy(`clusters.${name}`, error)];
  }
}

/** As a run would have it; where the migrations can't be read, which is a finding of its own, by what the config says of the cluster. */
async function countInFlight(
  config: ResolvedConfig,
  name: string,
  drivers: ReadonlySet<DriverName>,
): Promise<{ concurrency: number; each: number }> {
  const cluster = config.clusters[name];
  const options = { direction: 'up', to: null, allowOutOfOrder: false, forceVerify: false } as const;
  const migrator = await createRunMigrator(config, options).catch(() => null);
  if (!cluster || !migrator) return { concurrency: cluster?.concurrency ?? 1, each: 1 };
  return { concurrency: capTenants(cluster, drivers, migrator), each: countConnections(migrator) };
}

/** Each embedded server once, however many clusters share it; a URL that can't be had is the registry's or the cluster's own failure. */
async function checkEmbeddedServers(context: CommandContext, config: ResolvedConfig): Promise<readonly Finding[]> {
  const sources = [
    ['registry.url', config.registry.url] as const,
    ...Object.entries(config.clusters).map(([name, { url }]) => [`clusters.${name}.url`, url] as const),
  ];
  const urls = await Promise.all(sources.map(([where, source]) => resolveUrl(source, where, config.root).catch(() => '')));
  const directories = new Set(urls.filter((url) => url.startsWith('embedded:')).map((url) => url.slice('embedded:'.length)));
  return Promise.all(
    [...directories].map((directory) => checkEmbedded(directory, config.root, () => startEmbedded(context, directory, config.root))),
  );
}

async function startEmbedded(context: CommandContext, directory: string, root: string): Promise<{ readonly url: string }> {
  const { acquireEmbedded } = await import('../embedded/index.js');
  const onNotice = (text: string): void => {
    if (!context.globals.isQuiet) context.stderr.write(`${text}\n`);
  };
  const server = await acquireEmbedded({ directory, resolveFrom: root, onNotice });
  context.closeAtExit(() => server.release());
  return server;
}
