import type { ClusterEngine, TenantDriver } from '../../drivers/driver.js';
import { driversOf } from '../../drivers/names.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import { FindingBook, type FixMode } from '../../lifecycle/verify/finding-book.js';
import { dropLeftReferences } from '../../lifecycle/verify/reference-homes.js';
import { findDrafts } from './find-drafts.js';
import { findOrphans } from './find-orphans.js';
import { findPrepared } from './find-prepared.js';

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
): Promise<FindingBook> {
  const { clusters, mode, registryDatabase, signal } = options;
  const book = new FindingBook(run.emit, mode);
  for (const cluster of clusters) {
    const engine = await run.clusters.engine(cluster, 'verify');
    for (const driver of openDrivers(engine)) {
      signal.throwIfAborted();
      const scope: StrayScope = { run, cluster, driver, book, registryDatabase, signal };
      await dropLeftReferences(run, cluster, driver, signal);
      await findOrphans(scope);
      await findDrafts(scope);
      await findPrepared(scope);
    }
  }
  return book;
}

function openDrivers(engine: ClusterEngine): readonly TenantDriver[] {
  return driversOf(engine.engine).map((name) => engine.driver(name));
}
