import { TenancyError } from '../errors.js';
import type { Registry } from '../registry/registry.js';
import type { Tenant, TenantId } from '../tenant.js';
import { parseTenantId } from '../tenant.js';
import { nextOfLeaving } from './retained.js';

/** The commands that remove a tenant for good. */
export type RemovingCommand = 'deprovision' | 'purge';

/** What was typed after `deprovision`, before any of it is believed. */
export interface DeprovisionRequest {
  readonly ids: readonly string[];
  /** The flag of a selection that was given, such as `--all`; null where none was. */
  readonly selectedBy: string | null;
  /** By a hook of the user's, or by the tool itself. */
  readonly canBackUp: boolean;
  readonly skipBackup: boolean;
}

/** The first guard, before any connection is opened. @throws TenancyError, exit 4 */
export function guardDeprovisionRequest(
  { ids, selectedBy }: Pick<DeprovisionRequest, 'ids' | 'selectedBy'>,
  command: RemovingCommand = 'deprovision',
): TenantId {
  const next = `name the one tenant to remove: \`tenancy tenant ${command} <id>\``;
  const refuse = (reason: string, cause?: unknown): TenancyError =>
    new TenancyError('TENANCY_DEPROVISION_REFUSED', { reason, next, command }, { cause });
  if (selectedBy !== null) throw refuse(`there is no ${selectedBy} here, and there never will be`);
  const [id, ...others] = ids;
  if (id === undefined) throw refuse('no tenant was named');
  if (others.length > 0) throw refuse(`${ids.length} tenants were named, and it takes exactly one`);
  try {
    return parseTenantId(id);
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}

/** The second guard: no connection either. A tenant without a backup is only removed when that was said. @throws TenancyError, exit 4 */
export function guardBackup({ canBackUp, skipBackup }: Pick<DeprovisionRequest, 'canBackUp' | 'skipBackup'>): void {
  if (canBackUp || skipBackup) return;
  throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
    reason: 'there would be no backup: the config has neither a directory for backups nor a backup hook',
    next: "add backups: { directory: './backups' } to it (or hooks.backup), or say --skip-backup when the data may be lost for good",
  });
}

/** The third: after reading the registry, and nothing else. @throws TenancyError, exit 4 */
export async function guardDeprovisionTenant(registry: Registry, id: TenantId, command: RemovingCommand = 'deprovision'): Promise<Tenant> {
  const tenant = await registry.findTenant(id);
  if (!tenant) {
    const suggestions = await registry.suggestTenants(id);
    throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
      reason: `no tenant is registered as ${id}`,
      next: suggestions.length > 0 ? `did you mean ${suggestions.join(' or ')}?` : 'see `tenancy tenant list`',
      command,
    });
  }
  refuseProtected(tenant, command);
  return tenant;
}

/**
 * The fourth, once the lease is held: what was confirmed is what will be removed. In the meantime another may have
 * protected the tenant, or removed it and provisioned the id anew. @throws TenancyError
 */
export function guardLeasedTenant(confirmed: Tenant, leased: Tenant): void {
  refuseProtected(leased);
  if (leased.incarnation !== confirmed.incarnation) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: leased.id });
}

/** @throws TenancyError `TENANCY_DEPROVISION_REFUSED` */
export function refuseProtected({ id, isProtected }: Tenant, command: RemovingCommand = 'deprovision'): void {
  if (!isProtected) return;
  throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
    reason: `${id} is protected`,
    next: `\`tenancy tenant unprotect ${id}\` first, if you are sure`,
    command,
  });
}

/** What is retained, or is being purged, is removed by `purge` alone, which looks at its time. @throws TenancyError `TENANCY_DEPROVISION_REFUSED` */
export function refuseRetained(tenant: Tenant): void {
  const { id, status, retainedUntil } = tenant;
  if (retainedUntil === null || status === 'deprovisioned') return;
  throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
    reason: status === 'retained' ? `${id} is retained until ${retainedUntil.toISOString()}` : `the purge of ${id} has begun`,
    next: nextOfLeaving(tenant) ?? '',
  });
}
