import type { Executor } from '../config/types.js';
import { EXIT } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import { Tally } from '../fleet/tally.js';
import { migrateTenant } from '../lifecycle/migrate.js';
import { createRunMigrator, type MigrationOutline } from '../lifecycle/migrator.js';
import type { RunContext } from '../lifecycle/run-context.js';
import { noJournal } from '../lifecycle/steps.js';
import type { PlannedGroup } from '../planned.js';
import type { TenantFilter } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';
import { elapsedMs, monotonicMs } from '../util/clock.js';
import { announceRun, recordRun } from './begin-run.js';
import { decideCaution, keepCaution, planCaution, sizeWaves } from './caution.js';
import { checkClusters } from './check-clusters.js';
import { executeRun } from './execute-run.js';
import type { RunPlan } from './lanes.js';
import { describeFilter, type MigrateOptions } from './migrate-run.js';
import { announcePlan } from './plan/announce-plan.js';
import { checkPlan } from './plan/check-plan.js';
import { PlanBook } from './plan/plan-book.js';
import { loadPlan } from './plan/plan-file.js';
import { planSaved } from './plan/planned-lanes.js';
import type { SavedGroup, SavedPlan } from './plan/saved-plan.js';
import type { RunReport } from './report.js';
import { tryThrottles } from './throttle-clusters.js';
import type { Workspace } from './workspace.js';

/** The plan says who, from where and to where; how fast, and how often, is still to be said. */
export type PlannedRunOptions = Omit<MigrateOptions, 'to' | 'allowOutOfOrder' | 'save' | 'listsTenants'>;

/** Carries out a plan that was saved: that and nothing else, and only if nothing has moved since. With `dryRun` it only says whether it holds. */
export async function migratePlanned(
  workspace: Workspace,
  command: 'migrate' | 'rollback',
  file: string,
  options: PlannedRunOptions,
): Promise<RunReport> {
  const startedMs = monotonicMs();
  const { config } = workspace;
  if (!options.dryRun) refuseWorkers(options.executor ?? config.defaults.executor);
  const saved = await loadPlan(file);
  if (saved.command !== command) throw new TenancyError('TENANCY_PLAN_REJECTED', { file, reason: `it is a plan to ${saved.command}` });
  const migrator = await createRunMigrator(config, {
    direction: command === 'migrate' ? 'up' : 'down',
    to: saved.to,
    allowOutOfOrder: saved.allowOutOfOrder,
    // Who is to be asked is asked once, by the check.
    forceVerify: false,
    admit: createGate(saved),
  });
  const registry = await workspace.registry();
  const { limits = {}, dryRun = false, concurrency = null, forceVerify = false, signals } = options;
  return workspace.withRun({ command, registry, migrator, limits, dryRun }, async (run) => {
    const plan = planSaved({ config, registry, groups: saved.groups, concurrency, migrator });
    const caution = decideCaution(config, options);
    announceRun(run, plan, migrator.target, null, { waves: sizeWaves(caution, plan), ...readShard(saved.selection) });
    await checkClusters(run, plan);
    await checkPlan(run, { plan: saved, file, lanes: plan }, { asksAll: forceVerify, signals });
    if (dryRun) return tellPlan(run, saved, plan, { ...options, startedMs });
    await tryThrottles(run, plan.lanes);
    await options.confirm?.(plan.selected);
    await recordRun(run, plan, migrator.target, { ...describeAsked(run, saved, concurrency), ...keepCaution(caution) });
    return executeRun(run, {
      ...plan,
      ...planCaution(config, caution),
      signals,
      isThrottled: true,
      steps: () => [command],
      journal: async () => noJournal,
      work: migrateTenant,
    });
  });
}

/** A plan of a shard is carried out as that shard. */
function readShard(selection: SavedPlan['selection']): Pick<TenantFilter, 'shard'> {
  const { shard } = selection as TenantFilter;
  return shard === undefined ? {} : { shard };
}

/** For the moment between the check and a tenant's turn: nothing is done to it that wasn't planned. Less may be, after an attempt that failed. */
function createGate(saved: SavedPlan): (tenant: Tenant, outline: MigrationOutline) => void {
  const groupOf = new Map<string, SavedGroup>();
  for (const group of saved.groups) for (const id of Object.keys(group.tenants)) groupOf.set(id, group);
  return ({ id, incarnation }, { to, migrations }) => {
    const group = groupOf.get(id);
    const isPlanned = group?.tenants[id] === incarnation && group.to === to && migrations.every((name) => group.migrations.includes(name));
    if (isPlanned) return;
    const show = (names: readonly string[]): string => names.join(', ') || 'nothing';
    throw new TenancyError('TENANCY_PLAN_LEFT', { tenant: id, planned: show(group?.migrations ?? []), found: show(migrations) });
  };
}

/**
 * For `run retry` and `run resume`: the plan's tenants, its target rather than what is newest by then, where the migrator can be told one, and
 * how fast and how often.
 */
function describeAsked(
  { limits, config, migrator: { type, target } }: RunContext,
  { groups, to, allowOutOfOrder, createdAt, selection }: SavedPlan,
  concurrency: number | null,
): Readonly<Record<string, unknown>> {
  const ids = groups.flatMap(({ tenants }) => Object.keys(tenants));
  return {
    filter: describeFilter({ ids, ...readShard(selection) }),
    to: to ?? (type === 'built-in' ? target : null),
    allowOutOfOrder,
    concurrency: concurrency ?? config.defaults.concurrency,
    limits,
    plan: createdAt,
  };
}

async function tellPlan(
  run: RunContext,
  saved: SavedPlan,
  plan: RunPlan,
  { exitCodeOfPending = EXIT.ok, startedMs }: PlannedRunOptions & { readonly startedMs: number },
): Promise<RunReport> {
  const groups = saved.groups.map(toGroup);
  const book = new PlanBook({ keepsIds: false });
  for (const { from, count } of saved.groups) book.addVersion(from, count, false);
  await announcePlan(run, { groups, versions: book.versions, plan, saved: null });
  const tally = new Tally();
  tally.count('not-started', plan.selected);
  return {
    runId: run.runId,
    command: run.command,
    selected: plan.selected,
    counts: tally.counts,
    failed: [],
    stopped: null,
    pending: plan.selected,
    ms: elapsedMs(startedMs),
    exitCode: plan.selected > 0 ? exitCodeOfPending : EXIT.ok,
  };
}

function toGroup({ cluster, driver, from, migrationsHash, to, migrations, count, tenants, knownBy }: SavedGroup): PlannedGroup {
  return { cluster, driver, from, hash: migrationsHash, to, migrations, tenants: count, sample: Object.keys(tenants).slice(0, 3), knownBy };
}

/** A worker goes by the registry, tenant by tenant, and knows nothing of what was looked at beforehand. */
function refuseWorkers(executor: Executor): void {
  if (executor !== 'pg-boss') return;
  const reason = 'a plan is carried out by the command itself, and not by workers';
  throw new TenancyError('TENANCY_EXECUTOR_REFUSED', { reason, advice: 'add --executor local, or leave out --plan' });
}
