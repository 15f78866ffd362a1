import { TenancyError } from '../errors.js';
import { historyDigest } from '../migrations/history-digest.js';
import type { DriverName } from '../tenant.js';
import type { DriverMigrator, RunMigrator } from './migrator.js';
import { NOTHING_PREPARABLE } from './preparable-migrations.js';
import { NO_REFERENCE } from './reference-plan.js';

/** One migrator for each driver of a fleet. What a run says as a whole is what they have in common. */
export function combineMigrators(byDriver: ReadonlyMap<DriverName, DriverMigrator>): RunMigrator {
  const all = [...byDriver.values()];
  const forDriver = (driver: DriverName): DriverMigrator => byDriver.get(driver) ?? refuseDriver(driver, [...byDriver.keys()]);
  const targets = new Set(all.map(({ target }) => target));
  const [first] = all;
  return {
    type: all.every(({ type }) => type === 'built-in') ? 'built-in' : 'foreign',
    target: targets.size === 1 ? (first?.target ?? null) : null,
    targetDigest: null,
    declared: [],
    lockScope: 'tenant',
    connections: Math.max(0, ...all.map(({ connections }) => connections)),
    identity: 'a migrator for each driver',
    contents: [],
    // Whoever asks knows the driver, and asks its migrator.
    findDrift: () => null,
    planReference: () => NO_REFERENCE,
    planRecorded: () => null,
    describe: (applied) => ({ schemaVersion: applied.at(-1)?.name ?? null, migrationsHash: historyDigest(applied) }),
    check: (driver) => forDriver(driver).check(driver),
    plan: (scope) => forDriver(scope.tenant.driver).plan(scope),
    migrate: (scope, options) => forDriver(scope.tenant.driver).migrate(scope, options),
    listPreparable: () => NOTHING_PREPARABLE,
    forDriver,
  };
}

/** For tenants whose driver the config forgets: each of them fails, and nothing is taken for done. */
function refuseDriver(driver: DriverName, known: readonly DriverName[]): DriverMigrator {
  const refuse = async (): Promise<never> => {
    throw new TenancyError('TENANCY_DRIVER_UNMIGRATED', { driver, known });
  };
  return {
    type: 'foreign',
    target: null,
    targetDigest: null,
    declared: [],
    lockScope: 'tenant',
    connections: 0,
    identity: 'no migrator',
    contents: [],
    findDrift: () => null,
    planReference: () => NO_REFERENCE,
    planRecorded: () => null,
    describe: (applied) => ({ schemaVersion: applied.at(-1)?.name ?? null, migrationsHash: historyDigest(applied) }),
    check: refuse,
    plan: refuse,
    migrate: refuse,
    listPreparable: () => NOTHING_PREPARABLE,
  };
}
