import type { MigrationOutline } from '../../lifecycle/migrator.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import type { Tenant } from '../../tenant.js';
import { PAGE } from '../read-tenants.js';
import { createJudge, type Judge } from './judge-tenants.js';
import type { SavedGroup, SavedPlan } from './saved-plan.js';

/** What of the tenants of a plan isn't as it was, and the tenants whose own history has to be read to know. */
export interface TenantCheck {
  readonly moved: readonly string[];
  readonly unread: readonly { readonly tenant: Tenant; readonly group: SavedGroup }[];
}

/** Compares each tenant's record with the plan's, a page of ids at a time. */
export async function checkTenants(run: RunContext, plan: SavedPlan, { asksAll }: { readonly asksAll: boolean }): Promise<TenantCheck> {
  const judge = await createJudge(
    run,
    plan.groups.map(({ driver }) => driver),
  );
  const moved: string[] = [];
  const unread: { tenant: Tenant; group: SavedGroup }[] = [];
  for (const group of plan.groups) {
    const isAsked = asksAll || group.knownBy === 'tenant';
    if (!isAsked) moved.push(...compareOutline(judge, group));
    const ids = Object.keys(group.tenants);
    for (let start = 0; start < ids.length; start += PAGE) {
      const page = ids.slice(start, start + PAGE);
      const found = await run.registry.listTenants({ ids: page }, { after: null, limit: page.length });
      const byId = new Map<string, Tenant>(found.map((tenant) => [tenant.id, tenant]));
      for (const id of page) {
        const tenant = byId.get(id);
        const difference = compareTenant(id, tenant, group);
        if (difference !== null) moved.push(difference);
        else if (tenant !== undefined && isAsked) unread.push({ tenant, group });
      }
    }
  }
  return { moved, unread };
}

function compareTenant(id: string, tenant: Tenant | undefined, group: SavedGroup): string | null {
  if (tenant === undefined) return `${id} is not registered any more`;
  if (tenant.status !== group.status) return `${id} is ${tenant.status}, and was ${group.status}`;
  if (tenant.incarnation !== group.tenants[id]) return `${id} was deprovisioned and provisioned again`;
  if (tenant.cluster !== group.cluster || tenant.driver !== group.driver) return `${id} is ${tenant.driver} on ${tenant.cluster}`;
  if (tenant.schemaVersion !== group.schemaVersion)
    return `${id} is at ${tenant.schemaVersion ?? 'nothing'}, and was at ${group.schemaVersion ?? 'nothing'}`;
  return tenant.migrationsHash === group.migrationsHash ? null : `${id} has another history at ${tenant.schemaVersion ?? 'nothing'}`;
}

/** The record is the same, and so are the files: only another version of tenancy would make something else of them. */
function compareOutline(judge: Judge, group: SavedGroup): readonly string[] {
  const verdict = judge(group);
  if (verdict.type === 'known' && isSameOutline(verdict.outline, group)) return [];
  const { from, cluster, migrations } = group;
  return [`those at ${from ?? 'nothing'} on ${cluster} would not be given ${migrations.join(', ')}`];
}

export function isSameOutline(a: MigrationOutline, b: MigrationOutline): boolean {
  return a.from === b.from && a.to === b.to && JSON.stringify(a.migrations) === JSON.stringify(b.migrations);
}
