import type { SessionOptions, TenantDriver, TenantTarget } from '../drivers/driver.js';
import { TenancyError } from '../errors.js';
import { historyDigest } from '../migrations/history-digest.js';
import type { NewPreparedHome, Registry } from '../registry/registry.js';
import { NOBODY } from '../tenant.js';
import { LEASE_MS } from './leases.js';
import type { PreparableMigrations } from './preparable-migrations.js';
import type { RunContext } from './run-context.js';
import type { Template } from './templates.js';

const HEARTBEAT_MS = LEASE_MS / 3;

/** What it takes to make homes ahead: of a run, or of `pool fill`. */
export type AheadContext = Pick<RunContext, 'registry' | 'config' | 'migrator' | 'templates' | 'host' | 'runId' | 'limits' | 'emit'>;

/** Where a home that is made ahead is while it is being made: a template has its own name only when it is complete. */
export function preparedTarget({ id, type, name }: Pick<NewPreparedHome, 'id' | 'type' | 'name'>, registry: string): TenantTarget {
  return { name: type === 'template' ? `tenancy_new_${id}` : name, marker: { tenant: NOBODY[type], registry, operation: id } };
}

/**
 * Makes a home for no tenant in particular, and migrates it as far as that may be done ahead. Again after a kill, it goes on where that was:
 * marker and history say how far it had come.
 * @throws TenancyError `TENANCY_HISTORY_MOVED` where it has something else than the first so many of the migrations.
 */
export async function prepareHome(
  { run, driver, signal }: { readonly run: AheadContext; readonly driver: TenantDriver; readonly signal: AbortSignal },
  target: TenantTarget,
  { steps }: PreparableMigrations,
  template: Template | null,
): Promise<void> {
  const how = await driver.create(target, signal, { template: template?.home ?? null });
  const isComplete = steps.length === 0 || (how === 'copied' && template?.migrationsHash === historyDigest(steps));
  if (isComplete) return;
  await driver.withSession(target, sessionOptionsOf(run, signal), async (session) => {
    const { applied } = await session.readHistory();
    const expectedDigest = historyDigest(steps.slice(0, applied.length));
    const isBeginning = applied.length <= steps.length && historyDigest(applied) === expectedDigest;
    if (!isBeginning) throw new TenancyError('TENANCY_HISTORY_MOVED', { tenant: target.name });
    const pending = steps.slice(applied.length);
    if (pending.length === 0) return;
    await session.applyMigrations(pending, {
      expectedDigest,
      tenant: target.name,
      onMigration: () => undefined,
      log: () => undefined,
    });
  });
  await driver.leave?.(target);
}

/** No fence: who gets the home has one that is greater. Two who make the same are kept apart by the history's lock and digest. */
export function sessionOptionsOf({ runId, limits }: AheadContext, signal: AbortSignal): SessionOptions {
  return { fence: 0, runId, lockTimeoutMs: limits.lockTimeoutMs, statementTimeoutMs: limits.statementTimeoutMs, signal };
}

/** Lets others know that the owner is alive, until it is told to stop. */
export function keepPreparedHomes(registry: Registry, owner: string): { stop(): void } {
  const timer = setInterval(() => {
    // Where it can't be renewed another takes over, and finds what was done.
    registry.renewPreparedHomes(owner, LEASE_MS).catch(() => undefined);
  }, HEARTBEAT_MS).unref();
  return { stop: () => clearInterval(timer) };
}
