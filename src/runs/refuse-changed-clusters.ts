import { isTenancyError, TenancyError } from '../errors.js';
import type { RunContext } from '../lifecycle/run-context.js';

/**
 * Another server behind the name of a cluster is no failure of its tenants: it ends the run before any is touched.
 * A cluster that can't be reached is left to them, who try again; in a dry run, where they may not be asked, it is a warning. @throws TenancyError `TENANCY_CLUSTER_CHANGED`
 */
export async function refuseChangedClusters(run: RunContext, lanes: readonly { readonly name: string }[]): Promise<void> {
  if (lanes.length > 0 && run.migrator.type === 'built-in') loadAhead();
  await Promise.all(
    lanes.map(async ({ name }) => {
      try {
        await run.clusters.engine(name, run.command);
      } catch (error) {
        if (isTenancyError(error, 'TENANCY_CLUSTER_CHANGED')) throw error;
        if (run.dryRun) warn(run, name, error);
      }
    }),
  );
}

function warn(run: RunContext, cluster: string, error: unknown): void {
  const { code, message } = isTenancyError(error)
    ? error
    : (run.clusters.opened(cluster)?.describeUnreachable(error) ??
      new TenancyError('TENANCY_CLUSTER_UNREACHABLE', {
        cluster,
        where: run.clusters.opened(cluster)?.where ?? cluster,
        reason: error instanceof Error ? error.message : String(error),
      }));
  run.emit({ type: 'run.warned', code, message });
}

/** While the servers answer there is nothing else to do. Where it can't be loaded, whoever needs it says so. */
function loadAhead(): void {
  void import('../migrations/apply.js').then(({ loadUmzug }) => loadUmzug()).catch(() => undefined);
}
