import type { ResolvedConfig } from '../config/types.js';
import { isTenancyError, TenancyError } from '../errors.js';
import type { StepName } from '../events.js';
import type { FailureBudget } from '../fleet/failure-budget.js';
import { useCluster } from '../lifecycle/clusters.js';
import { locateTenant } from '../lifecycle/locate.js';
import { isIsolated } from '../lifecycle/logins.js';
import { createRunMigrator, type RunMigrator } from '../lifecycle/migrator.js';
import { findProvisionObstacle, PROVISION_STEPS, provisionTenant } from '../lifecycle/provision.js';
import type { RunContext, RunLimits } from '../lifecycle/run-context.js';
import { createStepJournal, noJournal } from '../lifecycle/steps.js';
import type { TenantOutcome } from '../outcome.js';
import type { NewTenant, Registry } from '../registry/registry.js';
import type { Placement, Tenant, TenantId } from '../tenant.js';
import { parseTenantId } from '../tenant.js';
import { monotonicMs } from '../util/clock.js';
import { createOperationId } from '../util/names.js';
import { announceRun, recordRun } from './begin-run.js';
import { checkClusters } from './check-clusters.js';
import type { ContinuedRun } from './continued-run.js';
import { dryReport } from './dry-report.js';
import { executeRun, type RunSignals } from './execute-run.js';
import { planListed } from './lanes.js';
import type { RunReport } from './report.js';
import type { Workspace } from './workspace.js';

export interface ProvisionOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly concurrency?: number | null;
  readonly maxFailures?: FailureBudget | null;
  readonly limits?: Partial<RunLimits>;
  readonly dryRun?: boolean;
  readonly signals: RunSignals;
  /** Goes on with this run instead of beginning one. */
  readonly continued?: ContinuedRun;
}

const BATCH = 500;

/** Registers the tenants that aren't there yet, and takes each through its steps. */
export async function provisionTenants(workspace: Workspace, rawIds: readonly string[], options: ProvisionOptions): Promise<RunReport> {
  const { config } = workspace;
  if (rawIds.length === 0) throw new TenancyError('TENANCY_SELECTION_MISSING', { command: 'provision' });
  const ids = [...new Set(rawIds.map((id) => parseTenantId(id)))];
  const labels = options.labels ?? {};
  // Placed before anything is opened: a config that can't place one of them is wrong for all.
  const placed = ids.map((id) => ({ id, labels, placement: config.place({ id, labels }) }));
  const migrator = await createRunMigrator(config, { direction: 'up', to: null, allowOutOfOrder: false, forceVerify: false });
  for (const driver of new Set(placed.map(({ placement }) => placement.driver))) await migrator.check(driver);
  if (options.dryRun) return planProvision(workspace, placed, migrator, options);

  const registry = await workspace.registry({ create: true });
  const { limits = {}, concurrency = null, maxFailures = null, continued } = options;
  return workspace.withRun({ command: 'provision', registry, migrator, limits, dryRun: false, runId: continued?.id }, async (run) => {
    askAhead(run, placed);
    const registered = await registerAll(registry, placed);
    const working = registered.filter(({ id, status }) => status !== 'active' && !continued?.ended.has(id));
    const listed = planListed(config, working, concurrency, migrator);
    const selected = Math.max(ids.length, continued?.selected ?? 0);
    const plan = { ...listed, selected, upToDate: selected - working.length };
    await checkClusters(run, plan);
    const how = { concurrency: concurrency ?? config.defaults.concurrency, maxFailures, limits: run.limits };
    const asked = { ids: ids.length > 1_000 ? null : ids, labels, ...how };
    announceRun(run, plan, migrator.target, continued);
    warnLabels(run, registered, labels);
    const [only] = registered;
    if (working.length === 0 && registered.length === 1 && only) run.emit(await locateActive(run, only));
    const opened = recordRun(run, plan, migrator.target, asked, continued);
    // Whoever waits for it tells what came of it.
    opened.catch(() => undefined);
    return executeRun(run, {
      ...plan,
      maxFailures,
      signals: options.signals,
      opened,
      steps: ({ cluster }) => listSteps(config, migrator, cluster),
      journal: (tenant) => openJournal(run, tenant),
      work: (scope) => provisionTenant(scope),
      failAs: 'provision.fail',
      ...(continued ? { before: continued } : {}),
    });
  });
}

/**
 * While the registry writes, the server of one tenant alone is asked whether it is the one that it was. What it says is looked at later; of many
 * tenants nobody knows yet whose servers are needed.
 */
function askAhead(run: RunContext, placed: readonly PlacedTenant[]): void {
  const [only, second] = placed;
  if (only && !second) run.clusters.engine(only.placement.cluster, run.command).catch(() => undefined);
}

/** Labels are given at registering; asked for again with others, a tenant keeps its own. */
function warnLabels(run: RunContext, registered: readonly Tenant[], labels: Readonly<Record<string, string>>): void {
  const asked = Object.entries(labels);
  const others = registered.filter((tenant) => asked.some(([key, value]) => tenant.labels[key] !== value));
  const [first] = others;
  if (!first) return;
  const message = `${first.id}${others.length > 1 ? ` and ${others.length - 1} more` : ''} had been registered with other labels, and kept them`;
  run.emit({ type: 'run.warned', code: 'TENANCY_LABELS_KEPT', message });
}

/** Provisioning an active tenant again is a no-op, and still says where it lives. */
function locateActive(run: RunContext, tenant: Tenant): Promise<ReturnType<typeof locateTenant>> {
  const target = { name: tenant.name, marker: { tenant: tenant.id, registry: run.registry.id, operation: tenant.homeOperationId } };
  return useCluster(run.clusters, { name: tenant.cluster, neededBy: tenant.id }, async (engine) =>
    locateTenant({ run, tenant, driver: engine.driver(tenant.driver), target }),
  );
}

type PlacedTenant = { readonly id: TenantId; readonly labels: Readonly<Record<string, string>>; readonly placement: Placement };

async function registerAll(registry: Registry, placed: readonly PlacedTenant[]): Promise<Tenant[]> {
  const all: Tenant[] = [];
  for (let start = 0; start < placed.length; start += BATCH) {
    const batch = placed.slice(start, start + BATCH).map(toNewTenant);
    for (const { tenant } of await registry.registerTenants(batch)) all.push(tenant);
  }
  return all;
}

function toNewTenant({ id, labels, placement }: PlacedTenant): NewTenant {
  return { id, labels, ...placement, operation: { id: createOperationId(), type: 'provision', cameFrom: null } };
}

/** What the operation's earlier attempts finished; a tenant without one (it is active by now) needs no journal. */
async function openJournal(run: RunContext, tenant: Tenant): Promise<ReturnType<typeof createStepJournal>> {
  if (!tenant.operation) return noJournal;
  const isFresh = tenant.status === 'pending';
  const steps = isFresh ? [] : await run.registry.readSteps(tenant.operation.id);
  return createStepJournal(run, tenant, tenant.operation, steps);
}

function listSteps(config: ResolvedConfig, migrator: RunMigrator, cluster: string): readonly StepName[] {
  const left = new Set<StepName>();
  if (!isIsolated(config, cluster)) left.add('create-login');
  if (migrator.type === 'none') left.add('migrate');
  if (config.hooks.seed.length === 0) left.add('seed');
  return PROVISION_STEPS.filter((step) => !left.has(step));
}

/** Reads only: also works where there is no registry yet. */
async function planProvision(
  workspace: Workspace,
  placed: readonly PlacedTenant[],
  migrator: RunMigrator,
  options: ProvisionOptions,
): Promise<RunReport> {
  const startedMs = monotonicMs();
  const registry = await workspace.registry().catch((error: unknown) => {
    if (isTenancyError(error, 'TENANCY_REGISTRY_NOT_FOUND')) return null;
    throw error;
  });
  const known = new Map<string, Tenant>();
  for (let start = 0; registry && start < placed.length; start += BATCH) {
    const batch = placed.slice(start, start + BATCH);
    await registry.refuseClashes(batch.map(toNewTenant));
    const ids = batch.map(({ id }) => id);
    for (const tenant of await registry.listTenants({ ids }, { after: null, limit: ids.length })) known.set(tenant.id, tenant);
  }
  const working = placed.filter(({ id }) => known.get(id)?.status !== 'active');
  return dryReport(
    workspace,
    { command: 'provision', selected: placed.length, target: migrator.target, startedMs, concurrency: options.concurrency ?? null },
    (emit) => {
      const refused: TenantOutcome[] = [];
      for (const { id, placement } of working) {
        const before = known.get(id);
        const obstacle = before && findProvisionObstacle(before);
        if (obstacle) {
          refused.push(toRefusal(before, obstacle));
          continue;
        }
        const { cluster, driver, name } = before && before.status !== 'deprovisioned' ? before : placement;
        emit({
          type: 'tenant.planned',
          tenant: id,
          cluster,
          driver,
          name,
          from: null,
          to: migrator.forDriver(driver).target,
          steps: listSteps(workspace.config, migrator, cluster),
          migrations: migrator.forDriver(driver).declared.map((migration) => migration.name),
        });
      }
      return { pending: working.length - refused.length, refused };
    },
  );
}

function toRefusal({ id, cluster, schemaVersion }: Tenant, { code, message, hint, isRetryable }: TenancyError): TenantOutcome {
  const error = { code, message, ...(hint === undefined ? {} : { hint }), hook: null, retryable: isRetryable, log: null };
  return { tenant: id, cluster, outcome: 'failed', attempts: 0, from: schemaVersion, to: null, ms: 0, error };
}
