import type { RunCommand } from '../../events.js';
import type { TenantOutcome } from '../../outcome.js';
import type { PlannedCluster, PlannedGroup } from '../../planned.js';
import type { Registry } from '../../registry/registry.js';

/** How far back earlier runs are looked at, how many of them are read, and how much of each. */
const RUNS_LISTED = 50;
const RUNS_READ = 5;
const OUTCOMES_READ = 1_000;

export interface Estimate {
  readonly clusters: readonly PlannedCluster[];
  readonly overall: { readonly ms: number; readonly sampled: number; readonly runs: readonly string[] } | null;
}

export interface EstimateInput {
  readonly command: RunCommand;
  readonly groups: readonly PlannedGroup[];
  readonly concurrency: number;
  readonly caps: Readonly<Record<string, { readonly cap: number }>>;
}

/** How long a plan would take, by what tenants took in earlier runs of the same command. Costs a handful of queries, whatever the fleet. */
export async function estimateRun(registry: Registry, { command, groups, concurrency, caps }: EstimateInput): Promise<Estimate> {
  const { outcomes, runs } = groups.length === 0 ? { outcomes: [], runs: [] } : await readEarlier(registry, command);
  const clusters = planClusters(groups, caps, (group) => median(findAlike(group, outcomes)));
  const isKnown = clusters.length > 0 && outcomes.length > 0;
  if (!isKnown) return { clusters, overall: null };
  // Clusters go side by side, as far as the cap over all of them lets them.
  const slowestMs = Math.max(...clusters.map(({ estimateMs }) => estimateMs ?? 0));
  const allMs = clusters.reduce((total, { tenants, tenantMs }) => total + tenants * (tenantMs ?? 0), 0) / concurrency;
  return { clusters, overall: { ms: Math.round(Math.max(slowestMs, allMs)), sampled: outcomes.length, runs } };
}

async function readEarlier(
  registry: Registry,
  command: RunCommand,
): Promise<{ outcomes: readonly TenantOutcome[]; runs: readonly string[] }> {
  const listed = await registry.listRuns({ before: null, limit: RUNS_LISTED });
  const telling = listed.filter((run) => run.command === command && (run.counts === null || run.counts.applied > 0)).slice(0, RUNS_READ);
  const read = await Promise.all(
    telling.map(async ({ id }) => ({
      id,
      outcomes: await registry.listOutcomes(id, { outcomes: ['applied'] }, { after: null, limit: OUTCOMES_READ }),
    })),
  );
  return {
    outcomes: read.flatMap(({ outcomes }) => outcomes),
    runs: read.filter(({ outcomes }) => outcomes.length > 0).map(({ id }) => id),
  };
}

/** Those that took the same way on the same cluster tell most; then the same way elsewhere; then any on this cluster; then any. */
function findAlike({ cluster, from, to }: PlannedGroup, outcomes: readonly TenantOutcome[]): readonly number[] {
  const isSameWay = (outcome: TenantOutcome): boolean => outcome.from === from && outcome.to === to;
  const isSameCluster = (outcome: TenantOutcome): boolean => outcome.cluster === cluster;
  const narrowing = [(outcome: TenantOutcome) => isSameWay(outcome) && isSameCluster(outcome), isSameWay, isSameCluster, () => true];
  for (const isAlike of narrowing) {
    const alike = outcomes.filter(isAlike);
    if (alike.length > 0) return alike.map(({ ms }) => ms);
  }
  return [];
}

function planClusters(
  groups: readonly PlannedGroup[],
  caps: EstimateInput['caps'],
  typicalMs: (group: PlannedGroup) => number | null,
): readonly PlannedCluster[] {
  const work = new Map<string, { tenants: number; ms: number | null }>();
  for (const group of groups) {
    const { tenants, ms } = work.get(group.cluster) ?? { tenants: 0, ms: 0 };
    const each = typicalMs(group);
    work.set(group.cluster, { tenants: tenants + group.tenants, ms: ms === null || each === null ? null : ms + group.tenants * each });
  }
  return [...work].map(([cluster, { tenants, ms }]) => {
    const cap = caps[cluster]?.cap ?? 1;
    const tenantMs = ms === null ? null : ms / tenants;
    // The last turn is a whole one, however few tenants are left for it.
    const estimateMs = tenantMs === null ? null : Math.round(Math.ceil(tenants / cap) * tenantMs);
    return { cluster, tenants, cap, tenantMs: tenantMs === null ? null : Math.round(tenantMs), estimateMs };
  });
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
