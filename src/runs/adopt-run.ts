import type { TenantDriver } from '../drivers/driver.js';
import type { EmitRunEvent } from '../events.js';
import { adoptTenant } from '../lifecycle/adopt.js';
import { type AdoptPattern, parseAdoptPattern } from '../lifecycle/adopt-pattern.js';
import { useCluster } from '../lifecycle/clusters.js';
import { createRunMigrator } from '../lifecycle/migrator.js';
import type { RunLimits } from '../lifecycle/run-context.js';
import { noJournal } from '../lifecycle/steps.js';
import type { NewTenant, Registry } from '../registry/registry.js';
import type { DriverName, Tenant } from '../tenant.js';
import { monotonicMs } from '../util/clock.js';
import { createOperationId } from '../util/names.js';
import { rejectChoice } from '../util/reject-choice.js';
import { announceRun, recordRun } from './begin-run.js';
import { dryReport } from './dry-report.js';
import { executeRun, type RunSignals } from './execute-run.js';
import { planListed } from './lanes.js';
import type { RunReport } from './report.js';
import type { Workspace } from './workspace.js';

export interface AdoptOptions {
  readonly cluster: string;
  readonly driver: DriverName;
  /** `tenant_{id}`: where the id is in the physical name. */
  readonly pattern: string;
  /** Migrations up to this one are declared to be applied, where a tenant has no history of ours. */
  readonly appliedUpTo: string | null;
  readonly labels?: Readonly<Record<string, string>>;
  readonly concurrency?: number | null;
  readonly limits?: Partial<RunLimits>;
  readonly dryRun?: boolean;
  readonly signals: RunSignals;
  /** Shown what was found, and asked, before anything is written; throws to refuse. */
  readonly confirm: (found: readonly AdoptCandidate[]) => Promise<void>;
}

/** A schema or database that fits the pattern and no tenant lives in. */
export interface AdoptCandidate {
  readonly id: string;
  readonly name: string;
}

const PAGE = 200;

/** Brings existing schemas or databases in, after showing and counting them. */
export async function adoptHomes(workspace: Workspace, options: AdoptOptions): Promise<RunReport> {
  const startedMs = monotonicMs();
  const { config } = workspace;
  const { cluster, driver } = options;
  const pattern = parseAdoptPattern(options.pattern);
  if (!config.clusters[cluster]) throw rejectChoice('--cluster', cluster, Object.keys(config.clusters));
  const migrator = await createRunMigrator(config, { direction: 'up', to: options.appliedUpTo, allowOutOfOrder: true, forceVerify: true });
  const declared = options.appliedUpTo === null ? [] : migrator.forDriver(driver).declared;
  const registry = await workspace.registry({ create: !options.dryRun });
  const { found, foreign } = await findCandidates(workspace, registry, options, pattern);

  if (options.dryRun) {
    return dryReport(
      workspace,
      { command: 'adopt', selected: found.length, target: options.appliedUpTo, startedMs, concurrency: null },
      (emit) => {
        warnForeign(emit, foreign);
        for (const { id, name } of found) {
          emit({
            type: 'tenant.planned',
            tenant: id,
            cluster,
            driver,
            name,
            from: null,
            to: options.appliedUpTo,
            steps: ['mark', 'verify', 'activate'],
            migrations: [],
          });
        }
        return { pending: found.length, refused: [] };
      },
    );
  }
  if (found.length > 0) await options.confirm(found);
  return workspace.withRun({ command: 'adopt', registry, migrator, limits: options.limits ?? {}, dryRun: false }, async (run) => {
    const tenants = await registerFound(registry, found, options);
    const plan = { ...planListed(config, tenants, options.concurrency ?? null, migrator), selected: found.length, upToDate: 0 };
    const { appliedUpTo } = options;
    await recordRun(run, plan, appliedUpTo, { cluster, driver, pattern: options.pattern, appliedUpTo });
    announceRun(run, plan, appliedUpTo);
    warnForeign(run.emit, foreign);
    return executeRun(run, {
      ...plan,
      maxFailures: null,
      signals: options.signals,
      steps: () => ['mark', 'verify', 'activate'],
      journal: async () => noJournal,
      work: (scope) => adoptTenant(scope, declared),
    });
  });
}

interface Candidates {
  readonly found: readonly AdoptCandidate[];
  /** Names of those that carry somebody else's marker: left alone. */
  readonly foreign: readonly string[];
}

/** Everything on the cluster that fits, and that no live tenant of this registry has. */
function findCandidates(workspace: Workspace, registry: Registry, options: AdoptOptions, pattern: AdoptPattern): Promise<Candidates> {
  const clusters = workspace.clusters(registry, { dryRun: options.dryRun ?? false });
  return useCluster(clusters, { name: options.cluster, neededBy: 'adopt' }, (engine) =>
    listCandidates(workspace, registry, engine.driver(options.driver), pattern),
  );
}

async function listCandidates(workspace: Workspace, registry: Registry, driver: TenantDriver, pattern: AdoptPattern): Promise<Candidates> {
  // Adopted as a tenant, the registry itself would go with that tenant's drop. A server may fold the case of its names.
  const own = driver.capabilities.isSharedDatabase ? null : ((await workspace.registryDatabase())?.toLowerCase() ?? null);
  const found: AdoptCandidate[] = [];
  const foreign: string[] = [];
  let after: string | null = null;
  for (;;) {
    const page: Awaited<ReturnType<typeof driver.list>> = await driver.list({ after, limit: PAGE });
    const fitting = page.flatMap(({ name, marker, isSetAside = false }) => {
      const id = pattern.idOf(name);
      return id === null || isSetAside || name.toLowerCase() === own ? [] : [{ id, name, marker }];
    });
    const known = new Map<string, Tenant>();
    const ids = fitting.map(({ id }) => id);
    if (ids.length > 0) {
      for (const tenant of await registry.listTenants({ ids }, { after: null, limit: ids.length })) known.set(tenant.id, tenant);
    }
    for (const { id, name, marker } of fitting) {
      const tenant = known.get(id);
      if (tenant && isSettled(tenant)) continue;
      const isOurs = marker === null || (marker.registry === registry.id && marker.operation === tenant?.homeOperationId);
      if (isOurs) found.push({ id, name });
      else foreign.push(name);
    }
    after = page.at(-1)?.name ?? null;
    if (page.length < PAGE) return { found, foreign };
  }
}

function warnForeign(emit: EmitRunEvent, foreign: readonly string[]): void {
  if (foreign.length === 0) return;
  const names = `${foreign.slice(0, 5).join(', ')}${foreign.length > 5 ? ` and ${foreign.length - 5} more` : ''}`;
  const message = `${names}: left alone, ${foreign.length === 1 ? 'it carries' : 'they carry'} the marker of another registry`;
  emit({ type: 'run.warned', code: 'TENANCY_NAME_TAKEN', message });
}

/** An adoption that was interrupted is taken up again; every other tenant is left as it is. */
function isSettled({ status, operation }: Tenant): boolean {
  return status !== 'deprovisioned' && operation?.type !== 'adopt';
}

async function registerFound(
  registry: Registry,
  found: readonly AdoptCandidate[],
  { cluster, driver, labels }: AdoptOptions,
): Promise<Tenant[]> {
  const tenants: Tenant[] = [];
  for (let start = 0; start < found.length; start += 500) {
    const batch = found.slice(start, start + 500).map(({ id, name }): NewTenant => {
      const operation = { id: createOperationId(), type: 'adopt', cameFrom: null } as const;
      return { id: id as NewTenant['id'], labels: labels ?? {}, cluster, driver, name, operation };
    });
    for (const { tenant } of await registry.registerTenants(batch)) tenants.push(tenant);
  }
  return tenants;
}
