import { EXIT, type ExitCode } from '../errors/define.js';
import { createTenantListWriter } from '../reporters/documents/tenant-list.js';
import { refuseUnknownClusters } from '../runs/refuse-unknown-clusters.js';
import { TENANT_STATUSES, type Tenant, type TenantStatus } from '../tenant.js';
import type { CommandContext } from './context.js';
import { parseLabels, parseShard, parseStatus } from './selection-flags.js';
import { withTenancy } from './with-tenancy.js';

export interface ListFlags {
  readonly label?: readonly string[];
  readonly cluster?: readonly string[];
  readonly status?: readonly string[];
  readonly shard?: string;
}

const PAGE = 200;
/** What is there: tombstones are listed only when they are asked for. */
const LIVE: readonly TenantStatus[] = TENANT_STATUSES.filter((status) => status !== 'deprovisioned');

export async function runList(context: CommandContext, flags: ListFlags): Promise<ExitCode> {
  const labels = parseLabels(flags.label ?? []);
  const statuses = flags.status ? flags.status.map(parseStatus) : LIVE;
  return withTenancy(context, 'tenant list', async (tenancy) => {
    const registry = await tenancy.workspace.registry();
    const writer = createTenantListWriter({ ...context, ...context.globals });
    const filter = {
      statuses,
      ...(flags.label ? { labels } : {}),
      ...(flags.cluster ? { clusters: flags.cluster } : {}),
      ...(flags.shard === undefined ? {} : { shard: parseShard(flags.shard) }),
    };
    let after: string | null = null;
    for (;;) {
      const page: readonly Tenant[] = await registry.listTenants(filter, { after, limit: PAGE });
      // Tenants may be of a cluster that the config no longer has; where there are none, it is a typo.
      if (after === null && page.length === 0) refuseUnknownClusters(tenancy.config, filter);
      await writer.write(page);
      after = page.at(-1)?.id ?? null;
      if (page.length < PAGE || after === null) break;
    }
    await writer.end();
    return EXIT.ok;
  });
}
