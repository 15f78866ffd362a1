import type { Executor } from '../config/types.js';
import type { EXIT } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import type { FailureBudget } from '../fleet/failure-budget.js';
import { parseSelection, type TenantSelection } from '../fleet/selection.js';
import { migrateTenant } from '../lifecycle/migrate.js';
import { createRunMigrator, type RunMigrator } from '../lifecycle/migrator.js';
import type { RunContext, RunLimits } from '../lifecycle/run-context.js';
import { noJournal } from '../lifecycle/steps.js';
import { MIGRATABLE } from '../lifecycle/transitions.js';
import type { Registry, TenantFilter } from '../registry/registry.js';
import { createRunId } from '../util/names.js';
import type { Share } from '../util/share.js';
import { announceRun, recordRun } from './begin-run.js';
import { decideCaution, keepCaution, planCaution, sizeWaves } from './caution.js';
import { checkClusters } from './check-clusters.js';
import { type ContinuedRun, planContinued } from './continued-run.js';
import { countRemoved } from './count-removed.js';
import { executeRun, type RunSignals } from './execute-run.js';
import { findLatecomers } from './find-latecomers.js';
import { findMissing } from './find-missing.js';
import { planRun } from './lanes.js';
import { findLastFailed, narrowToFailed } from './last-failed.js';
import { leaveOutVerified } from './leave-out-verified.js';
import { refuseUnknownClusters } from './refuse-unknown-clusters.js';
import type { RunReport } from './report.js';
import { tryThrottles } from './throttle-clusters.js';
import type { RunOptions, Workspace } from './workspace.js';

export interface MigrateOptions {
  /** Up: the newest migration to apply; without it, the newest there is. Rollback: the one that is to be the newest afterwards. */
  readonly to?: string | null;
  readonly concurrency?: number | null;
  readonly maxFailures?: FailureBudget | null;
  /** How far each wave reaches, the canary first; empty: all at once. @default the config's */
  readonly waves?: readonly Share[];
  /** Between two waves. @default the config's */
  readonly soakMs?: number;
  readonly limits?: Partial<RunLimits>;
  readonly dryRun?: boolean;
  /** What a dry run exits with where something is pending. @default 0 */
  readonly exitCodeOfPending?: typeof EXIT.ok | typeof EXIT.pending;
  readonly allowOutOfOrder?: boolean;
  /** Reads every tenant's own history, also where the registry says that there is nothing to do. */
  readonly forceVerify?: boolean;
  /** In a dry run: the file that the plan is written to. */
  readonly save?: string | null;
  /** In a dry run: tell each tenant with something to do, and not only how many there are of each kind. @default true */
  readonly listsTenants?: boolean;
  /** Which processes carry it out. @default the config's */
  readonly executor?: Executor;
  readonly signals: RunSignals;
  /** Asked once the tenants are counted and before anything is touched; throws to refuse. */
  readonly confirm?: (selected: number) => Promise<void>;
}

/** Brings tenants to a version, up (`migrate`) or down (`rollback`). */
export async function migrateTenants(
  workspace: Workspace,
  command: 'migrate' | 'rollback',
  selection: TenantSelection,
  options: MigrateOptions,
): Promise<RunReport> {
  const filter = parseSelection(selection, command, MIGRATABLE);
  refuseUnknownClusters(workspace.config, filter);
  if (options.save != null) {
    if (!options.dryRun)
      throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--save', value: options.save, expected: '--dry-run with it' });
    await (await import('./plan/plan-file.js')).refuseToOverwrite(options.save);
  }
  const migrator = await createRunMigrator(workspace.config, {
    direction: command === 'migrate' ? 'up' : 'down',
    to: options.to ?? null,
    allowOutOfOrder: options.allowOutOfOrder ?? false,
    forceVerify: options.forceVerify ?? false,
  });
  if (migrator.type === 'none') {
    throw new TenancyError('TENANCY_MIGRATIONS_NOT_CONFIGURED', { command, file: workspace.config.file ?? 'the config' });
  }
  const registry = await workspace.registry();
  await findMissing(registry, filter);
  const executor = options.executor ?? workspace.config.defaults.executor;
  if (!selection.failed) return migrateFiltered(workspace, command, { registry, filter, migrator, executor }, options);
  const failedIn = (await findLastFailed(registry, command, filter.shard)).map(({ id }) => id);
  return migrateFiltered(workspace, command, { registry, filter: narrowToFailed(filter, failedIn), migrator, failedIn, executor }, options);
}

export interface MigrateScope {
  readonly registry: Registry;
  readonly filter: TenantFilter;
  readonly migrator: RunMigrator;
  /** Goes on with this run instead of beginning one. */
  readonly continued?: ContinuedRun;
  /** With `--failed`: the runs whose failed tenants the filter selects; without any it selects nobody. */
  readonly failedIn?: readonly string[];
  /** @default 'local' */
  readonly executor?: Executor;
}

/** The same for a filter that has been made and checked before, as by `run retry`. */
export async function migrateFiltered(
  workspace: Workspace,
  command: 'migrate' | 'rollback',
  { registry, filter, migrator, continued, failedIn, executor = 'local' }: MigrateScope,
  options: MigrateOptions,
): Promise<RunReport> {
  const { config } = workspace;
  const { limits = {}, dryRun = false } = options;
  const isDistributed = executor === 'pg-boss' && !dryRun;
  const opening = { command, registry, migrator, limits, dryRun, runId: continued?.id };
  return workspace.withRun({ ...opening, ...(isDistributed ? nameOwner(createRunId()) : {}) }, async (run) => {
    const planned = await planRun({
      config,
      registry,
      filter,
      skipsKnown: !options.forceVerify,
      concurrency: options.concurrency ?? null,
      migrator,
    });
    const plan = continued ? planContinued(planned, continued, registry) : planned;
    const caution = decideCaution(config, options);
    announceRun(run, plan, migrator.target, continued, { waves: sizeWaves(caution, plan), failedIn, shard: filter.shard });
    await checkClusters(run, plan);
    if (options.dryRun) return (await import('./plan-migrate-run.js')).planMigrateRun(run, plan, options);
    await tryThrottles(run, plan.lanes);
    await options.confirm?.(plan.selected);
    const asked = { ...describeAsked(run, filter, options), ...keepCaution(caution) };
    if (isDistributed) {
      const { distributeRun } = await import('./distributed/distribute.js');
      return distributeRun(workspace, run, { plan, filter, asked, caution, signals: options.signals });
    }
    await recordRun(run, plan, migrator.target, asked, continued);
    const lanes = options.forceVerify ? plan.lanes.map((lane) => leaveOutVerified(run, lane)) : plan.lanes;
    return executeRun(run, {
      ...plan,
      lanes,
      ...planCaution(config, caution),
      signals: options.signals,
      isThrottled: true,
      steps: () => [command],
      journal: async () => noJournal,
      work: migrateTenant,
      findLatecomers: (hadTheirTurn) => findLatecomers(run, filter, hadTheirTurn),
      countRemoved: (missing) => countRemoved(registry, { runId: run.runId, filter, missing }),
      ...(continued ? { before: continued } : {}),
    });
  });
}

/** Its workers speak for it in one name. What it tells comes from the registry, where only what has an outcome is heard of. */
function nameOwner(runId: string): Pick<RunOptions, 'runId' | 'owner' | 'holdsIdle'> {
  return { runId, owner: `${runId}/queue`, holdsIdle: false };
}

/** What a retry or a resume has to know again. */
function describeAsked({ limits, config }: RunContext, filter: TenantFilter, options: MigrateOptions): Readonly<Record<string, unknown>> {
  const { to = null, allowOutOfOrder = false, forceVerify = false, maxFailures = null } = options;
  const concurrency = options.concurrency ?? config.defaults.concurrency;
  return { filter: describeFilter(filter), to, allowOutOfOrder, forceVerify, concurrency, maxFailures, limits };
}

/** Ids by the thousand are not kept with the run: its outcomes name those that matter. */
export function describeFilter(filter: TenantFilter): Readonly<Record<string, unknown>> {
  return { ...filter, ...(filter.ids && filter.ids.length > 1_000 ? { ids: null } : {}) };
}
