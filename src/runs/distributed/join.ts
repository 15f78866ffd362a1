import { TenancyError } from '../../errors.js';
import { noMigrator } from '../../lifecycle/migrator.js';
import type { RunSignals } from '../execute-run.js';
import { findRun } from '../find-run.js';
import type { RunReport } from '../report.js';
import type { Workspace } from '../workspace.js';
import { readDistributed } from './deployment.js';
import { followRun } from './follow.js';

/** Follows a run that was handed to workers before, from where it is now. @throws TenancyError `TENANCY_RUN_NOT_FOLLOWED` */
export async function joinRun(workspace: Workspace, id: string, signals: RunSignals): Promise<RunReport> {
  const registry = await workspace.registry();
  const kept = await findRun(registry, id);
  const show = `see \`tenancy run show ${kept.id}\``;
  const distributed = readDistributed(kept);
  if (distributed === null) {
    throw new TenancyError('TENANCY_RUN_NOT_FOLLOWED', { run: kept.id, reason: 'it was not handed to workers', advice: show });
  }
  if (kept.finishedAt !== null) {
    throw new TenancyError('TENANCY_RUN_NOT_FOLLOWED', { run: kept.id, reason: 'it has ended', advice: show });
  }
  const recorded = await registry.countOutcomes(kept.id);
  const doneBefore = Object.values(recorded).reduce((sum, count) => sum + count, 0) - recorded['not-started'] - recorded.cancelled;
  const opened = { command: kept.command, registry, migrator: noMigrator, limits: {}, dryRun: false, runId: kept.id, holdsIdle: false };
  return workspace.withRun(opened, async (run) => {
    const { command, target, selected, options } = kept;
    const caps = Object.values(workspace.config.clusters).reduce((sum, cluster) => sum + cluster.concurrency, 0);
    const concurrency = typeof options['concurrency'] === 'number' ? Math.min(options['concurrency'], caps) : caps;
    run.emit({
      type: 'run.started',
      command,
      selected,
      upToDate: distributed.upToDate + doneBefore,
      doneBefore,
      target,
      concurrency,
      clusters: {},
      dryRun: false,
    });
    return followRun(run, { selected, upToDate: distributed.upToDate, hasWork: true, isJoining: true, target, signals });
  });
}
