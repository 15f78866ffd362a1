import type { TenantTarget } from '../../drivers/driver.js';
import type { Tenant } from '../../tenant.js';
import type { StrayScope } from './find-strays.js';

/** What operations have left under working names, or in a ledger of ours, that are over. Those that aren't are their tenants' to tell. */
export async function findDrafts(scope: StrayScope): Promise<void> {
  const { run, cluster, driver, book, signal } = scope;
  const begun = (await driver.listBegun?.(run.registry.id)) ?? [];
  if (begun.length === 0) return;
  // Of all clusters: the config may name this server once more.
  const ahead = new Set((await run.registry.listPreparedHomes({})).map(({ id }) => id));
  for (const { shown, name, operation, ...known } of begun) {
    if (ahead.has(operation)) continue;
    const id = known.tenant ?? (await findTenantOf(scope, operation));
    // Of another registry, or of nobody that is known: it isn't ours to judge.
    if (id === null) continue;
    const tenant = await run.registry.findTenant(id);
    if (tenant !== null && isUnderWay(tenant, operation, known.isHome)) continue;
    const target = { name, marker: { tenant: id, registry: run.registry.id, operation } };
    const finding = {
      code: 'draft-left',
      message: `${shown} on cluster ${cluster} was left by an operation of tenant ${id} that is over`,
    } as const;
    const place = { tenant: id, cluster, driver: driver.name, name: shown };
    // A registry that was put back from before the tenant's time knows nothing of it, nor that anybody wanted it gone.
    if (tenant === null && !(await isEmptyOrGone(scope, target))) {
      await book.add(place, {
        ...finding,
        repair: 'the registry does not know the tenant, and something is in it: look into it, then drop it by hand',
      });
      continue;
    }
    await book.add(place, {
      ...finding,
      repair: '`tenancy tenant verify --all --fix` takes it away',
      fix: async () => {
        const granted = tenant === null ? null : await run.leases.acquire(id, run.limits.leaseWaitMs, signal);
        try {
          if (granted !== null && isUnderWay(granted.tenant, operation, known.isHome)) throw new Error('somebody goes on with it');
          if (tenant === null && !(await isEmptyOrGone(scope, target))) throw new Error('it is not as it was any more');
          await driver.drop(target, signal);
          return 'taken away';
        } finally {
          if (granted !== null) await run.leases.release([id]);
        }
      },
    });
  }
}

async function isEmptyOrGone({ driver }: StrayScope, target: TenantTarget): Promise<boolean> {
  const presence = await driver.probe(target);
  return presence.status === 'absent' || ('isEmpty' in presence && presence.isEmpty);
}

/** A working name tells the operation alone; whose that was the journal knows. */
async function findTenantOf({ run }: StrayScope, operation: string): Promise<string | null> {
  const [step] = await run.registry.readSteps(operation);
  return step?.tenant ?? null;
}

/** @param isHome it stands for the home itself, and not for something beside it */
function isUnderWay({ operation: current, homeOperationId, status }: Tenant, operation: string, isHome: boolean): boolean {
  if (current?.id === operation) return true;
  if (homeOperationId !== operation) return false;
  return isHome ? status !== 'deprovisioned' : current !== null;
}
