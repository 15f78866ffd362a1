import type { AuditEvent, ChainHead, Registry } from '../../registry/registry.js';
import { parseTenantId } from '../../tenant.js';
import { requireTenant } from '../require-tenant.js';
import type { Workspace } from '../workspace.js';
import type { AuditVerification, VerifyAuditOptions } from './verify-audit.js';

/** Reads the audit trail, and never writes to it. */
export interface AuditReader {
  /**
   * The trail of a tenant, oldest first, page by page, also of one that is deprovisioned or was forgotten. Null: what belongs to no tenant, such as
   * the beginnings and ends of runs. @throws TenancyError `TENANCY_TENANT_NOT_FOUND`.
   */
  list(tenant: string | null, options?: { readonly since?: Date | null }): AsyncIterable<AuditEvent>;
  /** Reads every event once, and tells what was edited, removed, inserted, swapped or cut off. Memory doesn't grow with the trail. */
  verify(options?: VerifyAuditOptions): Promise<AuditVerification>;
  /** The newest of each chain: to be kept elsewhere, and handed to `verify` as `against`. */
  heads(): AsyncIterable<ChainHead>;
}

const PAGE = 500;

export function openAudit(workspace: Workspace): AuditReader {
  return {
    list: (tenant, options = {}) => listEvents(workspace, tenant, options.since ?? null),
    verify: async (options = {}) => {
      const tenant = options.tenant == null ? null : parseTenantId(options.tenant);
      const registry = await workspace.registry();
      if (tenant !== null) await requireTrail(registry, tenant);
      return (await import('./verify-audit.js')).verifyAudit(registry, options);
    },
    heads: () => listHeads(workspace),
  };
}

async function* listEvents(workspace: Workspace, tenant: string | null, since: Date | null): AsyncGenerator<AuditEvent> {
  const id = tenant === null ? null : parseTenantId(tenant);
  const registry = await workspace.registry();
  if (id !== null) await requireTrail(registry, id);
  for (let after = 0; ; ) {
    const page = await registry.listEvents(id, { after, limit: PAGE, since });
    yield* page;
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined) return;
    after = last.sequence;
  }
}

/** Of an id that was forgotten the trail is left. */
async function requireTrail(registry: Registry, id: string): Promise<void> {
  const [event] = await registry.listEvents(id, { after: 0, limit: 1 });
  if (event !== undefined) return;
  const [head] = await registry.readHeads({ chain: id, after: null, limit: 1 });
  if (head === undefined) await requireTenant(registry, id);
}

async function* listHeads(workspace: Workspace): AsyncGenerator<ChainHead> {
  const registry = await workspace.registry();
  for (let after: string | null = null; ; ) {
    const page: readonly ChainHead[] = await registry.readHeads({ after, limit: PAGE });
    yield* page;
    after = page.at(-1)?.chain ?? null;
    if (page.length < PAGE || after === null) return;
  }
}
