import { isTenancyError } from '../errors.js';
import { targetOf } from '../lifecycle/migrator.js';
import type { RunContext } from '../lifecycle/run-context.js';
import type { TenantFilter } from '../registry/registry.js';
import { DRIVER_NAMES, type DriverName, type Tenant } from '../tenant.js';
import { leaveOutEnded } from './continued-run.js';
import { planRun, type RunLane, yieldAll } from './lanes.js';

/**
 * Who is selected by now, is behind, and was not when the run began: a tenant that code with older files was provisioning meanwhile, say, and that
 * stands before where the run's reading had come to by then. One query of the registry where there is nobody.
 *
 * Only where the registry can tell who is behind. Tenants that were named one by one are all there are, and nobody is waited for.
 * @param hadTheirTurn of this run, and may be behind still; those that failed, say
 */
export async function findLatecomers(
  run: RunContext,
  filter: TenantFilter,
  hadTheirTurn: ReadonlySet<string>,
): Promise<readonly RunLane[]> {
  const { config, registry, migrator, runId } = run;
  if (run.command !== 'migrate' || filter.ids !== undefined || filter.ofRun !== undefined) return [];
  const isKnowable = (driver: DriverName): boolean => targetOf(migrator.forDriver(driver)) !== null;
  if (!DRIVER_NAMES.some(isKnowable)) return [];
  const isLate = ({ id, driver }: Tenant): boolean => !hadTheirTurn.has(id) && isKnowable(driver);
  try {
    const { lanes } = await planRun({ config, registry, filter, skipsKnown: true, concurrency: null, migrator });
    const late: RunLane[] = [];
    for (const lane of lanes) {
      const behind = await collect(lane.tenants, isLate);
      // The run's outcomes are read only where somebody may be without one.
      const tenants = behind.length === 0 ? [] : await collect(leaveOutEnded(registry, runId, yieldAll(behind)));
      if (tenants.length > 0) late.push({ ...lane, tenants: yieldAll(tenants) });
    }
    return late;
  } catch (error) {
    // What the run was begun for is done.
    if (!isTenancyError(error)) throw error;
    run.emit({
      type: 'run.warned',
      code: error.code,
      message: `tenants that came along meanwhile were left as they are: ${error.message}`,
    });
    return [];
  }
}

async function collect(tenants: AsyncIterable<Tenant>, isWanted: (tenant: Tenant) => boolean = () => true): Promise<readonly Tenant[]> {
  const collected: Tenant[] = [];
  for await (const tenant of tenants) if (isWanted(tenant)) collected.push(tenant);
  return collected;
}
