import type { ExitCode } from '../../errors/define.js';
import { EXIT } from '../../errors/define.js';
import { exitCodeOf } from '../../errors.js';
import { parseSelection, type TenantSelection } from '../../fleet/selection.js';
import { createRunMigrator } from '../../lifecycle/migrator.js';
import type { RunLimits } from '../../lifecycle/run-context.js';
import { noJournal } from '../../lifecycle/steps.js';
import type { FixMode } from '../../lifecycle/verify/finding-book.js';
import { createReferenceHomes } from '../../lifecycle/verify/reference-homes.js';
import { createVerifyWork } from '../../lifecycle/verify/verify-tenant.js';
import type { TenantOutcome } from '../../outcome.js';
import type { Lease, Tenant } from '../../tenant.js';
import { TENANT_STATUSES } from '../../tenant.js';
import { announceRun, recordRun } from '../begin-run.js';
import { executeRun, type RunSignals } from '../execute-run.js';
import { findMissing } from '../find-missing.js';
import { planRun, type RunLane } from '../lanes.js';
import { findLastFailed, narrowToFailed } from '../last-failed.js';
import { describeFilter } from '../migrate-run.js';
import { refuseUnknownClusters } from '../refuse-unknown-clusters.js';
import type { RunReport } from '../report.js';
import type { Workspace } from '../workspace.js';
import { findStrays } from './find-strays.js';

export interface VerifyOptions {
  /** Mends what can be mended safely. @default false */
  readonly fix?: boolean;
  /** With `fix`: only says what would be mended. @default false */
  readonly dryRun?: boolean;
  /** Leaves out the comparison of each tenant's structure with a freshly migrated one. @default false */
  readonly skipStructure?: boolean;
  /** What the run exits with where something that is more than a note was found, and is there still. @default 0 */
  readonly exitCodeOfFindings?: typeof EXIT.ok | typeof EXIT.pending;
  readonly concurrency?: number | null;
  readonly limits?: Partial<RunLimits>;
  readonly signals: RunSignals;
}

/** Also who is on its way in or out, and no further than half of it. */
const VERIFIED = TENANT_STATUSES.filter((status) => status !== 'deprovisioned');

/** What a verify answers with. */
export interface VerifyReport extends RunReport {
  /** What was found and is there still, notes left out. */
  readonly findings: number;
  /** What was mended. */
  readonly fixed: number;
}

/** Compares the registry with reality, in both directions where the whole fleet is asked for. */
export async function verifyTenants(workspace: Workspace, selection: TenantSelection, options: VerifyOptions): Promise<VerifyReport> {
  const filter = parseSelection(selection, 'verify', VERIFIED);
  refuseUnknownClusters(workspace.config, filter);
  const mode: FixMode = options.fix ? (options.dryRun ? 'dry' : 'fix') : 'none';
  const migrator = await createRunMigrator(workspace.config, { direction: 'up', to: null, allowOutOfOrder: true, forceVerify: true });
  const registry = await workspace.registry();
  await findMissing(registry, filter);
  const failedIn = selection.failed ? (await findLastFailed(registry, 'verify', filter.shard)).map(({ id }) => id) : undefined;
  const narrowed = failedIn === undefined ? filter : narrowToFailed(filter, failedIn);
  const { limits = {}, concurrency = null, signals, exitCodeOfFindings = EXIT.ok } = options;
  let findings = 0;
  let fixed = 0;
  let unseen = 0;
  const report = await workspace.withRun({ command: 'verify', registry, migrator, limits, dryRun: false }, async (run) => {
    const plan = await planRun({ config: workspace.config, registry, filter: narrowed, skipsKnown: false, concurrency, migrator });
    announceRun(run, plan, null, null, { failedIn, shard: filter.shard });
    const asked = { filter: describeFilter(filter), fix: mode === 'fix', concurrency, limits };
    await recordRun(run, plan, null, asked);
    if (selection.all && isFirstShard(selection)) {
      const registryDatabase = await workspace.registryDatabase();
      const strays = await findStrays(run, {
        registryDatabase,
        clusters: filter.clusters ?? Object.keys(workspace.config.clusters),
        mode,
        signal: signals.abort,
      });
      findings += strays.book.left;
      fixed += strays.book.fixed;
      unseen = strays.unseen;
    }
    const leases = new Map<string, Lease>();
    const references = options.skipStructure ? null : createReferenceHomes(run, signals.abort);
    return executeRun(run, {
      ...plan,
      lanes: plan.lanes.map((lane) => noteLeases(lane, leases)),
      maxFailures: null,
      signals,
      steps: () => ['verify'],
      journal: async () => noJournal,
      work: createVerifyWork({
        mode,
        references,
        leaseLeftOn: (id) => {
          const lease = leases.get(id) ?? null;
          leases.delete(id);
          return lease;
        },
        onFindings: (counts) => {
          findings += counts.left;
          fixed += counts.fixed;
        },
      }),
      decideExit: (selected, failed) =>
        decideExit(selected, failed, unseen > 0 ? EXIT.tenantsFailed : findings > 0 ? exitCodeOfFindings : EXIT.ok),
    }).finally(() => references?.close());
  });
  return { ...report, findings, fixed };
}

/** Who could not be looked at comes before what was found. */
function decideExit(selected: number, failed: readonly TenantOutcome[], ofFindings: ExitCode): ExitCode {
  const unseen = failed.filter(({ outcome }) => outcome !== 'unverified');
  const [first] = unseen;
  if (first === undefined) return ofFindings;
  return selected > 1 || first.error === undefined ? EXIT.tenantsFailed : exitCodeOf(first.error.code);
}

function isFirstShard({ shard }: TenantSelection): boolean {
  return shard === undefined || shard.index === 1;
}

/** A lease that nobody renews is seen only before it is taken over. */
function noteLeases(lane: RunLane, leases: Map<string, Lease>): RunLane {
  async function* note(): AsyncGenerator<Tenant> {
    for await (const tenant of lane.tenants) {
      if (tenant.lease?.isExpired) leases.set(tenant.id, tenant.lease);
      yield tenant;
    }
  }
  return { ...lane, tenants: { [Symbol.asyncIterator]: note } };
}
