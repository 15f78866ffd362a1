import { LEASE_MS } from '../../lifecycle/leases.js';
import { preparedTarget } from '../../lifecycle/prepared-home.js';
import type { PreparedHome } from '../../registry/registry.js';
import { NOBODY } from '../../tenant.js';
import { createOwnerId } from '../../util/names.js';
import type { StrayScope } from './find-strays.js';
import { isSeenFromHere } from './seen-from-here.js';

const REPAIR = 'tenancy pool fill';

/** Homes made ahead: those that the registry has and the server hasn't, the reverse, and what was broken off. */
export async function findPrepared(scope: StrayScope): Promise<void> {
  const { run, cluster, driver, book } = scope;
  if (driver.listAhead === undefined) return;
  const look = async () => (await driver.listAhead?.(run.registry.id)) ?? [];
  // The server before the registry, and once more behind it: what is made, or given to a tenant, meanwhile is neither unknown nor missing.
  const before = await look();
  const known = (await run.registry.listPreparedHomes({ cluster })).filter((home) => home.driver === driver.name);
  const after = await look();
  const there = new Set([...before, ...after].map(({ name }) => name));
  const place = (name: string) => ({ tenant: null, cluster, driver: driver.name, name });
  for (const home of known) {
    if (home.status === 'ready' && !there.has(home.name) && !(await isThere(scope, home))) {
      await book.add(place(home.name), {
        code: 'prepared-missing',
        message: `${home.name} is ready for new tenants, says the registry, and is not on cluster ${cluster}`,
        repair: REPAIR,
        fix: () => forget(scope, home),
      });
    } else if (home.isAbandoned && (home.status === 'making' || home.status === 'dropping')) {
      await book.add(place(home.name), {
        code: 'prepared-abandoned',
        message: `${home.name} is half ${home.status === 'making' ? 'made' : 'dropped'}, and nobody is at it`,
        repair: REPAIR,
        fix: () => forget(scope, home),
      });
    }
  }
  const ids = new Set(known.map(({ id }) => id));
  const still = new Set(after.map(({ name }) => name));
  for (const { name, marker } of before) {
    if (ids.has(marker.operation) || !still.has(name) || (await isKnown(scope, marker.operation))) continue;
    await book.add(place(name), {
      code: 'prepared-unknown',
      message: `${name} on cluster ${cluster} was made ahead, and the registry doesn't know it`,
      repair: marker.tenant === NOBODY.spare ? REPAIR : '`tenancy tenant verify --all --fix` drops it; a new one is made when it is needed',
      fix: async () => {
        if (await isKnown(scope, marker.operation)) throw new Error('it is known meanwhile');
        if (marker.tenant === NOBODY.template) await driver.templates?.drop(name, run.registry.id, scope.signal);
        await driver.drop({ name, marker }, scope.signal);
        return 'dropped: it is nobody’s';
      },
    });
  }
}

/** To the registry, here or by another name of the same server. */
async function isKnown(scope: StrayScope, operation: string): Promise<boolean> {
  const home = (await scope.run.registry.listPreparedHomes({})).find(({ id }) => id === operation);
  return home !== undefined && isSeenFromHere(scope, home.cluster);
}

/** It was given to a tenant, or taken by somebody, since the registry was asked. */
async function isThere({ run, cluster }: StrayScope, { id, name }: PreparedHome): Promise<boolean> {
  const [now] = await run.registry.listPreparedHomes({ cluster, name });
  return now?.id !== id || now.status !== 'ready';
}

async function forget({ run, driver, signal }: StrayScope, home: PreparedHome): Promise<string> {
  const lease = { owner: createOwnerId(), host: run.host, ttlMs: LEASE_MS };
  const taken = await run.registry.takePreparedHome(home.id, { ...lease, from: [home.status], to: 'dropping' });
  if (taken === null) throw new Error('somebody is at it meanwhile');
  if (home.type === 'template') await driver.templates?.drop(home.name, run.registry.id, signal);
  const how = await driver.drop(preparedTarget(taken, run.registry.id), signal);
  await run.registry.forgetPreparedHome(home.id);
  return how === 'dropped' ? 'dropped' : 'forgotten: nothing was there';
}
