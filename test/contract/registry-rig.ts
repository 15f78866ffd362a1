import { randomUUID } from 'node:crypto';
import type { NewTenant, Registry, TenantChange } from '../../src/registry/registry.js';
import { parseTenantId, type Tenant } from '../../src/tenant.js';
import { until } from '../rig/gate.js';
import type { RegistrySubject } from './registry-suite.js';

export type Scene = () => { readonly registry: Registry; readonly subject: RegistrySubject };

/** A tenant as provision registers it: an operation of its own, and a home named after the id. */
export function newTenant(id: string, given: Partial<NewTenant> = {}): NewTenant {
  return {
    id: parseTenantId(id),
    labels: {},
    cluster: 'main',
    driver: 'postgres-schema',
    name: `tenant_${id.toLowerCase()}`,
    operation: { id: randomUUID(), type: 'provision', cameFrom: null },
    ...given,
  };
}

/** An id that no other test uses. */
export function uniqueId(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

export async function register(registry: Registry, id: string, given: Partial<NewTenant> = {}): Promise<Tenant> {
  const [answer] = await registry.registerTenants([newTenant(id, given)]);
  if (answer === undefined) throw new Error('no answer');
  return answer.tenant;
}

export async function lease(registry: Registry, id: string, owner: string, ttlMs = 15_000): Promise<number> {
  const [grant] = await registry.acquireLeases([id], { owner, host: 'test', ttlMs });
  if (grant?.status !== 'granted') throw new Error(`${id} was not granted: ${JSON.stringify(grant)}`);
  return grant.fence;
}

/** Until the server's clock says that a lease of this many milliseconds, which begins now, has ended: what began earlier and was no longer has ended too. */
export async function untilPast(registry: Registry, ttlMs: number): Promise<void> {
  const id = uniqueId('clock');
  await register(registry, id);
  await lease(registry, id, uniqueId('bystander'), ttlMs);
  await until(async () => (await registry.findTenant(id))?.lease?.isExpired === true, `a lease of ${ttlMs} ms to end`);
}

export function change(id: string, fence: number | null, given: Partial<TenantChange>): TenantChange {
  return { id, fence, from: ['pending'], runId: null, event: 'tenant.changed', ...given };
}

/** Registers, leases and activates; the lease stays the owner's. */
export async function activate(registry: Registry, id: string, owner: string, given: Partial<NewTenant> = {}): Promise<number> {
  await register(registry, id, given);
  const fence = await lease(registry, id, owner);
  await registry.updateTenants([change(id, fence, { to: 'active', set: { operation: null } })]);
  return fence;
}

/** As many clients as that, each with connections of its own, all doing the same at once. */
export async function race<T>(
  subject: RegistrySubject,
  count: number,
  act: (registry: Registry, index: number) => Promise<T>,
): Promise<PromiseSettledResult<T>[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => subject.open({ maxConnections: 1 })));
  try {
    return await Promise.allSettled(clients.map(act));
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

export function fulfilled<T>(results: readonly PromiseSettledResult<T>[]): T[] {
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
