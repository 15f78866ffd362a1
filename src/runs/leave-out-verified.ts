import type { FleetLane } from '../fleet/run-fleet.js';
import { targetOf } from '../lifecycle/migrator.js';
import type { RunContext } from '../lifecycle/run-context.js';
import type { DriverName, Tenant } from '../tenant.js';
import { PAGE } from './read-tenants.js';

/**
 * For `--force-verify`: asks the tenants of a lane by the page, where their driver can ask many at once, and leaves out those whose own history says
 * what the registry says of them. All others, and whoever can't be asked so, come out and are asked one by one.
 */
export function leaveOutVerified<Lane extends FleetLane<Tenant>>(
  run: RunContext,
  lane: Lane,
  onLeftOut: (tenant: Tenant) => void = () => undefined,
): Lane {
  return { ...lane, tenants: { [Symbol.asyncIterator]: () => verifyPages(run, lane, onLeftOut) } };
}

async function* verifyPages(run: RunContext, lane: FleetLane<Tenant>, onLeftOut: (tenant: Tenant) => void): AsyncGenerator<Tenant> {
  let page: Tenant[] = [];
  for await (const tenant of lane.tenants) {
    page.push(tenant);
    if (page.length < PAGE) continue;
    yield* await verifyPage(run, lane.name, page, onLeftOut);
    page = [];
  }
  yield* await verifyPage(run, lane.name, page, onLeftOut);
}

async function verifyPage(
  run: RunContext,
  cluster: string,
  page: readonly Tenant[],
  onLeftOut: (tenant: Tenant) => void,
): Promise<readonly Tenant[]> {
  const verified = new Set<string>();
  for (const driver of new Set(page.map((tenant) => tenant.driver))) {
    const askable = page.filter((tenant) => tenant.driver === driver && isRecordedThere(run, tenant));
    for (const id of await findVerified(run, cluster, driver, askable)) verified.add(id);
  }
  for (const tenant of page) if (verified.has(tenant.id)) onLeftOut(tenant);
  return page.filter(({ id }) => !verified.has(id));
}

/** Whose record has to be put right, or who failed last, has a turn of its own. */
function isRecordedThere(run: RunContext, { driver, schemaVersion, migrationsHash, lastError }: Tenant): boolean {
  const target = targetOf(run.migrator.forDriver(driver));
  return lastError === null && target !== null && schemaVersion === target.schemaVersion && migrationsHash === target.migrationsHash;
}

/** Of a server that doesn't answer, or not to this, nobody: its tenants find out, and say so. */
async function findVerified(
  run: RunContext,
  cluster: string,
  driverName: DriverName,
  tenants: readonly Tenant[],
): Promise<readonly string[]> {
  const { type, targetDigest } = run.migrator.forDriver(driverName);
  if (type !== 'built-in' || targetDigest === null || tenants.length === 0) return [];
  try {
    const engine = await run.clusters.engine(cluster, run.command);
    const driver = engine.driver(driverName);
    if (driver.findAt === undefined) return [];
    const targets = tenants.map(({ id, name, homeOperationId }) => ({
      name,
      marker: { tenant: id, registry: run.registry.id, operation: homeOperationId },
    }));
    const names = await driver.findAt(targets, targetDigest);
    return tenants.filter(({ name }) => names.has(name)).map(({ id }) => id);
  } catch {
    return [];
  }
}
