import type { TenantDriver } from '../../drivers/driver.js';
import { TenancyError } from '../../errors.js';
import { historyDigest } from '../../migrations/history-digest.js';
import type { AppliedMigration } from '../../migrations/migration.js';
import type { PreparedHome, Registry } from '../../registry/registry.js';
import { createOperationId, createOwnerId } from '../../util/names.js';
import { remember } from '../../util/remember.js';
import { LEASE_MS } from '../leases.js';
import { keepPreparedHomes, preparedTarget, sessionOptionsOf } from '../prepared-home.js';
import type { RunContext, TenantScope } from '../run-context.js';
import { indexStructure, type ReferenceStructure } from './compare-structure.js';

/** Begins the name under which the registry knows one; on the server it has a working name, as a template that is being made. */
const PREFIX = 'tenancy_ref_';

const MEND =
  'these migrations have to run on an empty home, as they do on that of a new tenant: mend what fails, or `--skip-structure` leaves this note out';

/** After an interrupt somebody waits for the end. */
const CLEAN_UP_MS = 10_000;

export type Reference =
  | { readonly status: 'made'; readonly structure: ReferenceStructure }
  | { readonly status: 'none'; readonly reason: string; readonly next: string };

/** Freshly migrated homes to compare tenants with: one for each history that a tenant has, looked at once and then dropped. */
export interface ReferenceHomes {
  /** What a home is like that these migrations were applied to, and nothing else. Others that ask for the same wait for the first. */
  find(scope: TenantScope, applied: readonly AppliedMigration[]): Promise<Reference>;
  close(): void;
}

/**
 * Each is entered in the registry before anything of it is made, and forgotten after all of it is gone, as homes are that are made ahead:
 * what a killed process leaves is found there, and dropped by the next verify or `pool fill`.
 */
export function createReferenceHomes(run: RunContext, signal: AbortSignal): ReferenceHomes {
  const owner = createOwnerId();
  const made = new Map<string, Promise<Reference>>();
  const cleared = new Map<string, Promise<unknown>>();
  let heart: { stop(): void } | null = null;

  async function make(
    { tenant: { cluster, driver: driverName }, driver }: TenantScope,
    applied: readonly AppliedMigration[],
  ): Promise<Reference> {
    const { registry } = run;
    const plan = run.migrator.forDriver(driverName).planReference(applied);
    if (plan.status === 'none') return plan;
    heart ??= keepPreparedHomes(registry, owner);
    await remember(cleared, `${cluster}/${driverName}`, () => dropLeftReferences(run, cluster, driver, signal));
    const id = createOperationId();
    const entry = { id, type: 'template', cluster, driver: driverName, name: `${PREFIX}${id}` } as const;
    const lease = { owner, host: run.host, ttlMs: LEASE_MS };
    await registry.enterPreparedHomes([entry], lease);
    const target = preparedTarget(entry, registry.id);
    try {
      await driver.create(target, signal);
      if (plan.steps.length > 0) {
        await driver.withSession(target, sessionOptionsOf(run, signal), (session) =>
          session.applyMigrations(plan.steps, {
            expectedDigest: historyDigest([]),
            tenant: target.name,
            publicTo: plan.publicTo,
            onMigration: () => undefined,
            log: () => undefined,
          }),
        );
      }
      return { status: 'made', structure: indexStructure(await driver.inspect(target, { structure: true }, signal)) };
    } finally {
      // Also after an abort. What can't be dropped now is dropped by whoever finds it in the registry later, and hides no failure.
      await (async () => {
        await registry.takePreparedHome(id, { ...lease, from: ['making'], to: 'dropping' });
        await driver.drop(target, AbortSignal.timeout(CLEAN_UP_MS));
        await registry.forgetPreparedHome(id);
      })().catch(() => undefined);
    }
  }

  return {
    find: async (scope, applied) => {
      const key = `${scope.tenant.cluster}/${scope.driver.name}/${historyDigest(applied)}`;
      const known = made.get(key);
      if (known !== undefined) return known;
      const making = make(scope, applied).catch((error: unknown): Reference => {
        signal.throwIfAborted();
        if (isPassing(run, scope.tenant.cluster, error)) {
          made.delete(key);
          throw error;
        }
        return { status: 'none', reason: error instanceof Error ? error.message : String(error), next: MEND };
      });
      made.set(key, making);
      return making;
    },
    close: () => heart?.stop(),
  };
}

/** Worth another attempt, which makes it anew. */
function isPassing(run: RunContext, cluster: string, error: unknown): boolean {
  if (error instanceof TenancyError) return error.isRetryable;
  const errorClass = run.clusters.opened(cluster)?.classify(error);
  return errorClass === 'connection' || errorClass === 'busy' || errorClass === 'transaction' || errorClass === 'catalog-race';
}

/** Drops what killed processes have left of theirs on one cluster; the answer is how many. Those of the living are left. */
export async function dropLeftReferences(
  { registry, host }: { readonly registry: Registry; readonly host: string },
  cluster: string,
  driver: TenantDriver,
  signal: AbortSignal,
): Promise<number> {
  const left = await listLeftReferences(registry, cluster, driver);
  let dropped = 0;
  for (const home of left) {
    const lease = { owner: createOwnerId(), host, ttlMs: LEASE_MS };
    const taken = await registry.takePreparedHome(home.id, { ...lease, from: ['making', 'dropping'], to: 'dropping' });
    if (taken === null) continue;
    await driver.drop(preparedTarget(home, registry.id), signal);
    await registry.forgetPreparedHome(home.id);
    dropped += 1;
  }
  return dropped;
}

async function listLeftReferences(registry: Registry, cluster: string, driver: TenantDriver): Promise<readonly PreparedHome[]> {
  const all = await registry.listPreparedHomes({ type: 'template', cluster });
  return all.filter(({ driver: name, name: home, isAbandoned }) => name === driver.name && home.startsWith(PREFIX) && isAbandoned);
}
