import { TenancyError } from '../../errors.js';
import { runFleet } from '../../fleet/run-fleet.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import { describeFailure } from '../../lifecycle/run-tenant.js';
import type { TenantFilter } from '../../registry/registry.js';
import type { Tenant } from '../../tenant.js';
import type { RunSignals } from '../execute-run.js';
import { planRun, type RunPlan } from '../lanes.js';
import { askTenant } from './ask-tenant.js';
import { checkTenants, isSameOutline, type TenantCheck } from './check-tenants.js';
import { compareBasis, describeBasis } from './describe-basis.js';
import { isThere } from './judge-tenants.js';
import type { SavedPlan } from './saved-plan.js';

/** How many that are not in the plan are named. */
const NAMED = 5;

/**
 * Whether a plan still holds: the registry, the servers, the migrations, and every tenant in it. Those whose history was read to
 * make it (all, with `asksAll`) are read again. Nothing is touched. @throws TenancyError `TENANCY_PLAN_MOVED`, naming what moved.
 */
export async function checkPlan(
  run: RunContext,
  { plan, file, lanes }: { readonly plan: SavedPlan; readonly file: string; readonly lanes: RunPlan },
  { asksAll, signals }: { readonly asksAll: boolean; readonly signals: RunSignals },
): Promise<void> {
  const refuse = (moved: readonly string[]): void => {
    if (moved.length > 0) throw new TenancyError('TENANCY_PLAN_MOVED', { file, moved });
  };
  refuse(compareBasis(plan, await describeBasis(run, plan.groups)));
  const { moved, unread } = await checkTenants(run, plan, { asksAll });
  refuse(moved);
  refuse(await readAgain(run, unread, lanes, signals));
  await mentionOthers(run, plan, file);
}

async function readAgain(
  run: RunContext,
  unread: TenantCheck['unread'],
  { lanes, concurrency }: RunPlan,
  signals: RunSignals,
): Promise<readonly string[]> {
  const moved: string[] = [];
  const check = async ({ tenant, group }: TenantCheck['unread'][number]): Promise<void> => {
    try {
      const outline = await askTenant(run, tenant, signals.abort);
      if (!isSameOutline(outline, group))
        moved.push(
          `${tenant.id} has ${outline.migrations.join(', ') || 'nothing'} to do now, and not ${group.migrations.join(', ') || 'nothing'}`,
        );
    } catch (error) {
      moved.push(describeFailure(run, tenant, error, null).message);
    }
  };
  await runFleet<TenantCheck['unread'][number]>({
    lanes: lanes.map(({ name, cap }) => ({ name, cap, tenants: yieldAll(unread.filter(({ tenant }) => tenant.cluster === name)) })),
    concurrency,
    drain: signals.drain,
    run: async (item) => {
      await check(item);
      const { id, cluster, schemaVersion: from } = item.tenant;
      return { tenant: id, cluster, outcome: 'not-started', attempts: 0, from, to: null, ms: 0 };
    },
    skip: () => undefined,
    settle: () => undefined,
  });
  return moved;
}

/** Those that the same selection would take in now and the plan doesn't know: they came later, or nothing could be planned for them. */
async function mentionOthers(run: RunContext, plan: SavedPlan, file: string): Promise<void> {
  const { config, registry, migrator } = run;
  const filter = plan.selection as TenantFilter;
  const now = await planRun({ config, registry, filter, skipsKnown: true, concurrency: null, migrator });
  const planned = new Set(plan.groups.flatMap(({ tenants }) => Object.keys(tenants)));
  // Each of the plan's is as it was, so whoever is more is another.
  if (now.selected - now.upToDate <= planned.size) return;
  const named: string[] = [];
  let others = 0;
  for (const lane of now.lanes) {
    for await (const tenant of lane.tenants) {
      if (planned.has(tenant.id) || isIdle(run, tenant)) continue;
      others += 1;
      if (named.length < NAMED) named.push(tenant.id);
    }
  }
  if (others === 0) return;
  const who = `${named.join(', ')}${others > named.length ? ` and ${others - named.length} more` : ''}`;
  const message = `not in ${file}, and left as ${others === 1 ? 'it is' : 'they are'}: ${who}`;
  run.emit({ type: 'run.warned', code: 'TENANCY_PLAN_INCOMPLETE', message });
}

/** By its record; a rollback knows no target that the registry could leave out. */
function isIdle(run: RunContext, tenant: Tenant): boolean {
  try {
    const outline = run.migrator.forDriver(tenant.driver).planRecorded(tenant);
    return outline !== null && isThere(run, tenant.driver, outline);
  } catch {
    return false;
  }
}

async function* yieldAll<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
