import type { FleetLane } from '../../fleet/run-fleet.js';
import type { MigrationOutline } from '../../lifecycle/migrator.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import type { TenantFilter, TenantSummary } from '../../registry/registry.js';
import type { Tenant } from '../../tenant.js';
import { type FleetPlan, leaveOut } from '../lanes.js';
import { PAGE, readTenants } from '../read-tenants.js';
import { createJudge, type Judge, type Verdict } from './judge-tenants.js';

/** What is known of a fleet by one query of the registry, and who has to be looked at besides. */
export interface Survey {
  readonly judge: Judge;
  /** Tenants of which the registry's record says it all. */
  readonly counted: readonly {
    readonly row: TenantSummary;
    readonly outline: MigrationOutline;
    readonly isDone: boolean;
    readonly tenants: number;
  }[];
  /** All others, to be gone over one by one. */
  readonly lanes: readonly FleetLane<Tenant>[];
  /** Those with something to do are all in the lanes. */
  readonly isListed: boolean;
}

/** More versions than this are not put into one question: a fleet as mixed as that is read as a whole. */
const MAX_VERSIONS = 500;

interface JudgedRow {
  readonly row: TenantSummary;
  readonly verdict: Verdict;
}

/** @param lists everybody with something to do is to be listed; a page of them always is */
export async function surveyFleet(run: RunContext, plan: FleetPlan, { lists }: { readonly lists: boolean }): Promise<Survey> {
  const judge = await createJudge(
    run,
    plan.summary.map(({ driver }) => driver),
  );
  const rows = plan.summary.map((row): JudgedRow => ({ row, verdict: judge(row) }));
  const pending = rows.filter(({ verdict }) => !(verdict.type === 'known' && verdict.isDone));
  const isListed = lists || pending.reduce((total, { row }) => total + row.tenants, 0) <= PAGE;
  const counted = rows.flatMap(({ row, verdict }) => {
    if (verdict.type !== 'known' || (isListed && !verdict.isDone)) return [];
    return [{ row, outline: verdict.outline, isDone: verdict.isDone, tenants: row.tenants - row.withError }];
  });
  const isCounted = (tenant: Tenant): boolean => {
    const verdict = judge(tenant);
    return verdict.type === 'known' && tenant.lastError === null && (verdict.isDone || !isListed);
  };
  const lanes = plan.lanes.map((lane) => ({
    ...lane,
    tenants: isListed ? leaveOut(lane.tenants, isCounted) : readUnclear(run, plan.filter, lane.name, rows, judge),
  }));
  return { judge, counted, lanes, isListed };
}

/** Those whose record says too little, and those whose last run failed: what they have may be more than was recorded. */
async function* readUnclear(
  { registry }: RunContext,
  filter: TenantFilter,
  cluster: string,
  rows: readonly JudgedRow[],
  judge: Judge,
): AsyncGenerator<Tenant> {
  const here = rows.filter(({ row }) => row.cluster === cluster);
  const unclear = here.filter(({ verdict }) => verdict.type !== 'known').map(({ row }) => row);
  if (unclear.length > 0) {
    const at = unclear.map(({ schemaVersion, migrationsHash }) => ({ schemaVersion, migrationsHash }));
    const narrowed = at.length <= MAX_VERSIONS ? { at } : {};
    for await (const tenant of readTenants(registry, { ...filter, clusters: [cluster], ...narrowed })) {
      if (judge(tenant).type !== 'known') yield tenant;
    }
  }
  if (here.some(({ row, verdict }) => verdict.type === 'known' && row.withError > 0)) {
    for await (const tenant of readTenants(registry, { ...filter, clusters: [cluster], hasError: true })) {
      if (judge(tenant).type === 'known') yield tenant;
    }
  }
}
