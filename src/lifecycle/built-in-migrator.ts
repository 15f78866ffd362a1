import { importModule } from '../config/import-config.js';
import type { ResolvedConfig, SqlMigrations } from '../config/types.js';
import type { TenantSession } from '../drivers/driver.js';
import { isTenancyError } from '../errors.js';
import { checksumOf } from '../migrations/checksum.js';
import { historyDigest } from '../migrations/history-digest.js';
import type { LocalMigration, TenantHistory, TenantMigrationPlan } from '../migrations/migration.js';
import { findNewest, recogniseOrder } from '../migrations/order.js';
import { planMigrations, resolveTarget } from '../migrations/plan.js';
import { findDrift } from '../migrations/plan-drift.js';
import { countPreparable } from '../migrations/preparable.js';
import { loadMigrations } from '../migrations/source.js';
import type { DriverName } from '../tenant.js';
import { remember } from '../util/remember.js';
import { applyOver } from './apply-over.js';
import { checkScripts } from './check-scripts.js';
import { createHookContext, withHooks } from './hook-context.js';
import { beginningOf, createKnownHistories, touchFound } from './known-histories.js';
import { refuseLostHistory } from './lost-history.js';
import type { DriverMigrator, MigrateTenantOptions, MigrationOutline, MigratorOptions, OnVersion, RecordedHistory } from './migrator.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { sessionOptions } from './session-options.js';

/** The migrator of our own, over a folder of `.sql`, `.ts` and `.js` files, its history in the tenant. */
export async function createBuiltInMigrator(
  config: ResolvedConfig,
  source: SqlMigrations,
  options: MigratorOptions,
): Promise<DriverMigrator> {
  const local = await loadMigrations({ ...source, root: config.root }, { importModule });
  const target = resolveTarget(local, options.to, options.direction);
  const targetIndex = target === null ? -1 : local.findIndex(({ name }) => name === target);
  const known = createKnownHistories(local);
  const order = recogniseOrder(local.map(({ name }) => name));
  const checked = new Map<DriverName, Promise<void>>();
  const publicTo = source.schemas?.public ?? null;

  function planFor(history: TenantHistory): TenantMigrationPlan {
    return planMigrations({ local, history, direction: options.direction, to: target, allowOutOfOrder: options.allowOutOfOrder });
  }

  /** The plan for a tenant whose history is a beginning of the local files, which then need not be read first. */
  function planUnread(recorded: RecordedHistory): TenantMigrationPlan | null {
    if (options.direction === 'down' || options.forceVerify) return null;
    const count = known.countOf(recorded);
    if (count === null || count > targetIndex + 1) return null;
    const steps = local.slice(count, targetIndex + 1);
    const from = local[count - 1]?.name ?? null;
    return { direction: 'up', from, to: steps.at(-1)?.name ?? from, steps, ahead: [] };
  }

  function guessFor({ tenant }: TenantScope, { isNew, known: made = null }: MigrateTenantOptions): TenantMigrationPlan | null {
    if (made !== null) return planUnread(made);
    const isUnrecorded = tenant.migrationsHash === null;
    return planUnread(isNew && isUnrecorded ? { schemaVersion: null, migrationsHash: known.emptyDigest } : tenant);
  }

  async function carryOut(
    scope: TenantScope,
    session: TenantSession,
    guess: TenantMigrationPlan | null,
    { isNew, onVersion }: MigrateTenantOptions,
  ): Promise<WorkResult> {
    if (guess && guess.steps.length > 0) {
      try {
        return await carryOutPlan(scope, session, guess, local.slice(0, local.indexOf(guess.steps[0] as LocalMigration)), onVersion);
      } catch (error) {
        if (!isTenancyError(error, 'TENANCY_HISTORY_MOVED')) throw error;
      }
    }
    const history = await session.readHistory();
    refuseLostHistory(scope.tenant, history);
    const { tenant } = scope;
    touchFound(scope, history, isNew && tenant.migrationsHash === null ? [] : known.listOf(tenant));
    const plan = planFor(history);
    warnAhead(scope, plan);
    return carryOutPlan(scope, session, plan, history.applied, onVersion);
  }

  async function carryOutPlan(
    scope: TenantScope,
    session: TenantSession,
    plan: TenantMigrationPlan,
    before: readonly { readonly name: string; readonly checksum: string }[],
    onVersion: OnVersion,
  ): Promise<WorkResult> {
    options.admit?.(scope.tenant, outline(plan));
    return applyOver(scope, session, plan, { before, onVersion, publicTo });
  }

  return {
    type: 'built-in',
    target,
    targetDigest: options.direction === 'down' ? null : historyDigest(local.slice(0, targetIndex + 1)),
    declared: local.slice(0, targetIndex + 1),
    lockScope: 'tenant',
    connections: 0,
    identity: publicTo === null ? 'the built-in migrator' : "the built-in migrator, public read as the tenant's schema",
    contents:
      options.direction === 'up'
        ? local.slice(0, targetIndex + 1).map(({ name, checksum }) => ({ name, digest: checksum }))
        : local.map((migration) => ({ name: migration.name, digest: digestBothWays(migration) })),
    planRecorded: (recorded) => {
      const count = options.forceVerify ? null : known.countOf(recorded);
      return count === null ? null : outline(planFor(beginningOf(local, count)));
    },
    describe: (applied) => ({
      schemaVersion: findNewest(
        applied.map(({ name }) => name),
        order,
      ),
      migrationsHash: historyDigest(applied),
    }),
    findDrift: (history) => findDrift(local, history),
    planReference: (applied) => {
      const files = new Map(local.map((migration) => [migration.name, migration]));
      const steps = applied.flatMap(({ name, checksum }) => {
        const file = files.get(name);
        return file?.checksum === checksum ? [file] : [];
      });
      const lacks = applied.length - steps.length;
      if (lacks === 0) return { status: 'planned', steps, publicTo };
      return {
        status: 'none',
        reason: `${lacks === 1 ? 'a migration that it has is' : `${lacks} migrations that it has are`} not among the files as it was applied`,
        next: 'bring the files back as they were applied, then verify again',
      };
    },
    check: (driver) => remember(checked, driver, () => checkScripts(local, driver, publicTo)),
    plan: async (scope) => {
      const plan = await scope.driver.withSession(scope.target, sessionOptions(scope), async (session) => {
        const history = await session.readHistory();
        refuseLostHistory(scope.tenant, history);
        return planFor(history);
      });
      warnAhead(scope, plan);
      return outline(plan);
    },
    listPreparable: (what, { isSchema }) => {
      const count = Math.min(targetIndex + 1, countPreparable(local, { what, isSchema, publicTo }));
      const steps = local.slice(0, count);
      return { steps, schemaVersion: steps.at(-1)?.name ?? null, migrationsHash: historyDigest(steps) };
    },
    migrate: async (scope, given) => {
      const guess = guessFor(scope, given);
      const { known: made = null } = given;
      let result: WorkResult | null = null;
      const versions = { from: scope.tenant.schemaVersion, to: target };
      await withHooks(
        scope,
        'Migrate',
        () => createHookContext(scope, versions),
        async () => {
          // Nothing is left to do in what was just made from a complete one: it isn't even entered.
          if (made !== null && guess?.steps.length === 0) {
            const { schemaVersion, migrationsHash } = made;
            result = {
              outcome: 'up-to-date',
              from: guess.from,
              to: guess.to,
              version: { schemaVersion, migrationsHash: migrationsHash ?? '' },
            };
            return;
          }
          result = await scope.driver.withSession(scope.target, sessionOptions(scope), (session) => carryOut(scope, session, guess, given));
        },
      );
      return result as unknown as WorkResult;
    },
  };
}

function outline({ from, to, steps }: TenantMigrationPlan): MigrationOutline {
  return { from, to, migrations: steps.map(({ name }) => name) };
}

function warnAhead({ run, tenant }: TenantScope, { ahead }: TenantMigrationPlan): void {
  if (ahead.length === 0) return;
  const message = `${tenant.id} has ${ahead.length} migration${ahead.length === 1 ? '' : 's'} newer than the newest file (${ahead.at(-1)}): the code was rolled back?`;
  run.emit({ type: 'run.warned', code: 'TENANCY_TENANT_AHEAD', message, tenant: tenant.id });
}

/** Of the file, and of what takes it back where that is a file of its own. */
function digestBothWays({ checksum, down }: LocalMigration): string {
  return down?.type === 'sql' ? checksumOf(`${checksum}\n${down.sql}`) : checksum;
}
