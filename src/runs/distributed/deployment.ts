import { createHash } from 'node:crypto';
import type { ResolvedConfig } from '../../config/types.js';
import { TenancyError } from '../../errors.js';
import { openSlotQueue, type SlotQueue } from '../../executors/slot-queue.js';
import { createRunMigrator } from '../../lifecycle/migrator.js';
import type { Registry, Run, RunDistribution, TenantFilter } from '../../registry/registry.js';
import { readFilter } from '../retry-run.js';
import type { Workspace } from '../workspace.js';

/** What a run that is carried out by workers keeps in its options. */
export interface DistributedOptions {
  readonly executor: 'pg-boss';
  /** Only workers with the same migrations take part in it. */
  readonly deployment: string;
  /** What tenants have that need nothing; null where that isn't known ahead. Kept, since whoever ends the run may have no migrations, or others. */
  readonly target: TenantFilter['notAt'] | null;
  /** Of the selected, how many needed nothing when it began. */
  readonly upToDate: number;
  /** How many tenants of it may be in flight at once, wherever. */
  readonly places: number;
}

export function readDistributed({ options }: Pick<Run, 'options'>): DistributedOptions | null {
  const { executor, deployment, target, upToDate, places } = options as Partial<DistributedOptions>;
  if (executor !== 'pg-boss' || typeof deployment !== 'string') return null;
  return { executor, deployment, target: target ?? null, upToDate: upToDate ?? 0, places: places ?? 1 };
}

/** Those that the run is over, as long as they need something. */
export function readTenantsOfRun(run: Pick<Run, 'id' | 'command' | 'options'>): TenantFilter {
  const target = readDistributed(run)?.target ?? null;
  return { ...readFilter(run), ...(target === null ? {} : { notAt: target }) };
}

/** Whether workers may take part in it: it hasn't ended, and nobody goes on with it without them. */
export function isOfWorkers(run: Run): boolean {
  return run.finishedAt === null && run.owner === ownerOfRun(run.id) && readDistributed(run) !== null;
}

/** Who its processes are when they speak for the run as a whole: all of them are the same one. */
export function ownerOfRun(runId: string): string {
  return `${runId}/queue`;
}

/** Digest of every migration that there is here, whatever version a run goes to. */
export async function digestDeployment(config: ResolvedConfig): Promise<string> {
  const newest = await createRunMigrator(config, { direction: 'up', to: null, allowOutOfOrder: false, forceVerify: false });
  const contents = newest.contents.map(({ name, digest }) => [name, digest]);
  return createHash('sha256')
    .update(JSON.stringify([newest.identity, contents]))
    .digest('hex');
}

/** @throws TenancyError `TENANCY_EXECUTOR_REFUSED` */
export function requireDistribution(registry: Registry): RunDistribution {
  if (registry.distribution) return registry.distribution;
  throw new TenancyError('TENANCY_EXECUTOR_REFUSED', {
    reason: `pg-boss keeps its queue beside the registry, which has to be on PostgreSQL; this one is at ${registry.where}`,
    advice: 'leave --executor out, or split the fleet over several jobs with --shard i/n, which needs no queue',
  });
}

export async function openQueue(workspace: Workspace, deployment: string): Promise<SlotQueue> {
  return openSlotQueue({
    url: await workspace.registryUrl(),
    root: workspace.config.root,
    deployment,
    onError: (error) => workspace.notice(`the queue: ${error.message}`),
  });
}
