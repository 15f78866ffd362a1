import { TenancyError } from '../../errors.js';
import { refuseStatus } from '../../lifecycle/migrate.js';
import type { MigrationOutline } from '../../lifecycle/migrator.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import { MIGRATABLE } from '../../lifecycle/transitions.js';
import type { DriverName, Tenant, TenantStatus } from '../../tenant.js';

/** What the registry records of a tenant, or of all that are alike. */
export interface Recorded {
  readonly status: TenantStatus;
  readonly driver: DriverName;
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
}

/**
 * What the registry's record says of a tenant's turn.
 * `known`: what is to be done. `unknown`: only the tenant can say. `refused`: nothing can be.
 */
export type Verdict =
  | { readonly type: 'known'; readonly outline: MigrationOutline; readonly isDone: boolean }
  | { readonly type: 'unknown' }
  | { readonly type: 'refused'; readonly error: (tenant: Tenant) => unknown };

export type Judge = (recorded: Recorded) => Verdict;

/** A judge over the tenants of a run: the same record is judged once, however many tenants have it. */
export async function createJudge(run: RunContext, drivers: Iterable<DriverName>): Promise<Judge> {
  const unfit = new Map<DriverName, unknown>();
  for (const driver of new Set(drivers)) {
    await run.migrator.check(driver).catch((error: unknown) => unfit.set(driver, error));
  }
  const verdicts = new Map<string, Verdict>();

  function read(driver: DriverName, history: Pick<Recorded, 'schemaVersion' | 'migrationsHash'>): Verdict {
    try {
      const outline = run.migrator.forDriver(driver).planRecorded(history);
      return outline === null ? { type: 'unknown' } : { type: 'known', outline, isDone: isThere(run, driver, outline) };
    } catch (error) {
      if (!(error instanceof TenancyError)) throw error;
      return { type: 'refused', error: () => error };
    }
  }

  function judge({ status, driver, ...history }: Recorded): Verdict {
    if (!MIGRATABLE.includes(status)) return { type: 'refused', error: (tenant) => refuseStatus(tenant, run.command) };
    const verdict = read(driver, history);
    // Who has nothing to do isn't asked for more, in a run neither.
    if (verdict.type === 'known' && verdict.isDone) return verdict;
    return unfit.has(driver) ? { type: 'refused', error: () => unfit.get(driver) } : verdict;
  }

  return ({ status, driver, schemaVersion, migrationsHash }) => {
    const key = JSON.stringify([status, driver, schemaVersion, migrationsHash]);
    const verdict = verdicts.get(key) ?? judge({ status, driver, schemaVersion, migrationsHash });
    verdicts.set(key, verdict);
    return verdict;
  };
}

/** Of a migrator of the user's that knows no target, nothing pending doesn't mean that it has nothing to do. */
export function isThere({ migrator }: RunContext, driver: DriverName, { from, to, migrations }: MigrationOutline): boolean {
  return migrations.length === 0 && (migrator.forDriver(driver).type === 'built-in' || (to !== null && from === to));
}
