import type { ResolvedConfig } from '../../config/types.js';
import type { TenantDriver } from '../../drivers/driver.js';
import { TenancyError } from '../../errors.js';
import { useCluster } from '../../lifecycle/clusters.js';
import { createRunMigrator } from '../../lifecycle/migrator.js';
import type { PreparableMigrations } from '../../lifecycle/preparable-migrations.js';
import type { AheadContext } from '../../lifecycle/prepared-home.js';
import { listPreparable } from '../../lifecycle/templates.js';
import type { Workspace } from '../workspace.js';
import type { PoolState } from './pool-report.js';
import type { PoolReading } from './read-pool.js';
import { readPool } from './read-pool.js';

/** A pool of the config, its cluster opened. */
export interface OpenPool {
  readonly run: AheadContext;
  readonly cluster: string;
  readonly driver: TenantDriver;
  readonly size: number;
  /** Homes of it worked on at once. */
  readonly concurrency: number;
  /** What its homes are to have. */
  readonly preparable: PreparableMigrations;
}

export interface PoolSelection {
  /** Only the pool of this cluster. @default all of the config */
  readonly cluster?: string | null;
}

/** @throws TenancyError `TENANCY_POOL_NOT_CONFIGURED` */
export async function withPools<T>(
  workspace: Workspace,
  { cluster = null }: PoolSelection,
  use: (pool: OpenPool) => Promise<T>,
): Promise<readonly T[]> {
  const { config } = workspace;
  const names = selectPools(config, cluster);
  const migrator = await createRunMigrator(config, { direction: 'up', to: null, allowOutOfOrder: false, forceVerify: false });
  for (const name of names) await migrator.check(config.clusters[name]?.pool?.driver ?? 'postgres-database');
  const registry = await workspace.registry();
  const run = workspace.ahead(registry, migrator);
  const clusters = workspace.clusters(registry);
  try {
    const answers: T[] = [];
    for (const name of names) {
      const { pool, concurrency } = config.clusters[name] ?? {};
      if (!pool || !concurrency) continue;
      const answer = useCluster(clusters, { name, neededBy: `the pool of ${name}` }, (engine) => {
        const driver = engine.driver(pool.driver);
        const preparable = listPreparable(run, driver.name, driver.capabilities.isSharedDatabase);
        return use({ run, cluster: name, driver, size: pool.size, concurrency, preparable });
      });
      answers.push(await answer);
    }
    return answers;
  } finally {
    await clusters.close();
  }
}

function selectPools({ clusters }: ResolvedConfig, cluster: string | null): readonly string[] {
  const known = Object.keys(clusters).filter((name) => clusters[name]?.pool);
  const names = cluster === null ? known : known.filter((name) => name === cluster);
  if (names.length > 0) return names;
  throw new TenancyError('TENANCY_POOL_NOT_CONFIGURED', {
    cluster: cluster ?? Object.keys(clusters)[0] ?? 'main',
    isNamed: cluster !== null,
    known,
  });
}

/** What a pool is, of what was read of it. */
export function describePool({ cluster, driver, size }: OpenPool, { verdicts, strays }: PoolReading): PoolState {
  const count = (...types: string[]): number => verdicts.filter(({ type }) => types.includes(type)).length;
  return {
    cluster,
    driver: driver.name,
    size,
    ready: count('fine', 'stale'),
    stale: count('stale'),
    busy: count('busy'),
    claimed: count('claimed'),
    broken: [
      ...verdicts.flatMap((verdict) =>
        verdict.type === 'broken' ? [{ id: verdict.home.id, name: verdict.home.name, problem: verdict.problem }] : [],
      ),
      ...strays.map(({ name }) => ({ id: null, name, problem: 'not in the registry' })),
    ],
  };
}

/** `tenancy pool status`. */
export async function readPools(workspace: Workspace, selection: PoolSelection = {}): Promise<readonly PoolState[]> {
  return withPools(workspace, selection, async (pool) => {
    const { run, driver, cluster, preparable } = pool;
    return describePool(pool, await readPool(run.registry, driver, { cluster, migrationsHash: preparable.migrationsHash }));
  });
}
