import type { MigrationOutline } from '../../lifecycle/migrator.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import { noJournal } from '../../lifecycle/steps.js';
import type { Tenant } from '../../tenant.js';

/** What would be done to a tenant by its own history. Takes no lease, and writes nothing. */
export async function askTenant(run: RunContext, tenant: Tenant, signal: AbortSignal): Promise<MigrationOutline> {
  const engine = await run.clusters.engine(tenant.cluster, tenant.id);
  return run.migrator.plan({
    run,
    tenant,
    driver: engine.driver(tenant.driver),
    target: { name: tenant.name, marker: { tenant: tenant.id, registry: run.registry.id, operation: tenant.homeOperationId } },
    fence: tenant.fence,
    signal,
    steps: noJournal,
    touched: [],
    log: (text) => run.logs.write(tenant.id, text),
  });
}
