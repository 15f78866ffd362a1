import type { ClusterEngine, TenantDriver } from '../../drivers/driver.js';
import { driversOf } from '../../drivers/names.js';
import { TenancyError } from '../../errors.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import { FindingBook, type FixMode } from '../../lifecycle/verify/finding-book.js';
import { dropLeftReferences } from '../../lifecycle/verify/reference-homes.js';
import { redact } from '../../util/redact.js';
import { findDrafts } from './find-drafts.js';
import { findOrphanLogins } from './find-logins.js';
import { findOrphans } from './find-orphans.js';
import { findPrepared } from './find-prepared.js';
import { findToolsLeft } from './find-tools-left.js';

/** One kind of home on one cluster. */
export interface StrayScope {
  readonly run: RunContext;
  readonly cluster: string;
  readonly driver: TenantDriver;
  readonly book: FindingBook;
  /** What doesn't belong to a tenant has the registry in it, perhaps. */
  readonly registryDatabase: string | null;
  readonly signal: AbortSignal;
}

/** The other direction: what is on the clusters and belongs to nobody that the registry knows, and what it knows of homes made ahead. */
export async function findStrays(
  run: RunContext,
  options: {
    readonly clusters: readonly string[];
    readonly mode: FixMode;
    readonly registryDatabase: string | null;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly book: FindingBook; readonly unseen: number }> {
  const { clusters, mode, registryDatabase, signal } = options;
  const book = new FindingBook(run.emit, mode);
  let unseen = 0;
  for (const cluster of clusters) {
    try {
      const engine = await run.clusters.engine(cluster, 'verify');
      const drivers = openDrivers(engine);
      for (const driver of drivers) {
        signal.throwIfAborted();
        await lookThrough({ run, cluster, driver, book, registryDatabase, signal });
      }
      // Last: with a home that was taken away above its logins have gone.
      const [any] = drivers;
      if (any !== undefined) {
        const scope: StrayScope = { run, cluster, driver: any, book, registryDatabase, signal };
        await findOrphanLogins(scope);
        await findToolsLeft(scope, engine);
      }
    } catch (error) {
      signal.throwIfAborted();
      // The others, and the tenants, are looked at all the same.
      unseen += 1;
      const told = run.clusters.opened(cluster)?.describeUnreachable(error) ?? error;
      const reason = redact(told instanceof Error ? told.message : String(told));
      const message = `on cluster ${cluster} nothing but tenants could be looked for: ${reason}`;
      run.emit({ type: 'run.warned', code: told instanceof TenancyError ? told.code : 'TENANCY_CLUSTER_UNREACHABLE', message });
    }
  }
  return { book, unseen };
}

async function lookThrough(scope: StrayScope): Promise<void> {
  const { run, cluster, driver, signal } = scope;
  await dropLeftReferences(run, cluster, driver, signal);
  await findOrphans(scope);
  await findDrafts(scope);
  await findPrepared(scope);
}

function openDrivers(engine: ClusterEngine): readonly TenantDriver[] {
  return driversOf(engine.engine).map((name) => engine.driver(name));
}
