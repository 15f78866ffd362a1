import type { TenantDriver } from '../../drivers/driver.js';
import type { PreparedHome, Registry } from '../../registry/registry.js';
import { NOBODY } from '../../tenant.js';

/** What is to be done about one home of a pool: nothing where it is `fine`. */
export type SpareVerdict =
  | { readonly type: 'fine' | 'stale' | 'busy' | 'claimed'; readonly home: PreparedHome }
  | { readonly type: 'broken'; readonly home: PreparedHome; readonly problem: string; readonly mend: 'finish' | 'drop' };

/** A home that was made for the pool and that the registry has no entry of. */
export interface StrayHome {
  readonly name: string;
  readonly operation: string;
}

export interface PoolReading {
  readonly verdicts: readonly SpareVerdict[];
  readonly strays: readonly StrayHome[];
}

/** Looks at the homes of one pool, in the registry and on the server. Reads only, and enters none. */
export async function readPool(
  registry: Registry,
  driver: TenantDriver,
  { cluster, migrationsHash }: { readonly cluster: string; readonly migrationsHash: string | null },
): Promise<PoolReading> {
  const look = async () => ((await driver.listAhead?.(registry.id)) ?? []).filter(({ marker }) => marker.tenant === NOBODY.spare);
  // The server before the registry, or what is entered and made meanwhile would be taken for a stray.
  const onServer = await look();
  const all = await registry.listPreparedHomes({ type: 'spare' });
  const homes = all.filter((home) => home.cluster === cluster && home.driver === driver.name);
  const names = new Set(onServer.map(({ name }) => name));
  const isMissing = ({ status, name }: PreparedHome): boolean => status === 'ready' && !names.has(name);
  // And once more after it, or what was finished meanwhile would be taken for missing.
  if (homes.some(isMissing)) for (const { name } of await look()) names.add(name);
  const verdicts = await Promise.all(homes.map((home) => judge(registry, home, names, migrationsHash)));
  // Of all clusters: the config may name this server once more, and what was made for the other name is no stray.
  const known = new Set(all.map(({ id }) => id));
  const strays = onServer.filter(({ marker }) => !known.has(marker.operation));
  return { verdicts, strays: strays.map(({ name, marker }) => ({ name, operation: marker.operation })) };
}

async function judge(
  registry: Registry,
  home: PreparedHome,
  names: ReadonlySet<string>,
  migrationsHash: string | null,
): Promise<SpareVerdict> {
  const { status, isAbandoned } = home;
  if (status === 'making') {
    return isAbandoned ? { type: 'broken', home, problem: 'half made', mend: 'finish' } : { type: 'busy', home };
  }
  if (status === 'dropping') {
    return isAbandoned ? { type: 'broken', home, problem: 'half dropped', mend: 'drop' } : { type: 'busy', home };
  }
  if (status === 'claimed') {
    if (await isWanted(registry, home)) return { type: 'claimed', home };
    return { type: 'broken', home, problem: `claimed for ${home.tenant}, which doesn't want it any more`, mend: 'drop' };
  }
  if (!names.has(home.name)) return { type: 'broken', home, problem: 'missing', mend: 'drop' };
  return { type: home.migrationsHash === migrationsHash ? 'fine' : 'stale', home };
}

/** The provisioning that claimed it is under way, or can be run again. */
async function isWanted(registry: Registry, { tenant, operationId }: PreparedHome): Promise<boolean> {
  const owner = tenant === null ? null : await registry.findTenant(tenant);
  if (owner === null || owner.homeOperationId !== operationId) return false;
  return owner.operation?.type === 'provision';
}
