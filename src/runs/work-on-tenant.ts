import { TenancyError } from '../errors.js';
import type { RunCommand } from '../events.js';
import { isFailure } from '../fleet/tally.js';
import type { OnVersion } from '../lifecycle/migrator.js';
import { nextOfLeaving } from '../lifecycle/retained.js';
import type { RunContext, StepJournal, TenantScope, WorkResult } from '../lifecycle/run-context.js';
import { type Ending, runTenant } from '../lifecycle/run-tenant.js';
import { MIGRATABLE, REMOVED, TRANSITIONS, type Transition } from '../lifecycle/transitions.js';
import type { TenantOutcome } from '../outcome.js';
import type { TenantTouch } from '../registry/registry.js';
import type { Tenant, TenantFailure } from '../tenant.js';
import { linkSignals } from '../util/abort.js';
import { wallClock } from '../util/clock.js';
import type { LeasedTenant } from './leased-ahead.js';
import type { OutcomeWriter } from './outcome-writer.js';

/** What a command does to each of its tenants. */
export interface WorkSpec {
  journal(tenant: Tenant): Promise<StepJournal>;
  work(scope: TenantScope, onVersion: OnVersion): Promise<WorkResult>;
  /** Tenants with nothing to do get an outcome too: whoever takes them one by one has to know that they had their turn. @default false */
  readonly recordsIdle?: boolean;
  /** One whose lease was lost is another's to end, who may not have ended it yet: it is `cancelled`, which is no end of it, and not `failed`. @default false */
  readonly passesOnLost?: boolean;
  /** What a tenant becomes whose work failed; left out where it stays what it is. */
  readonly failAs?: Transition;
}

/** Waits for the lease, does the work within `--timeout`, and hands the outcome to the writer. Never rejects for the tenant's own failure. */
export async function workOnTenant(
  run: RunContext,
  { journal, work, failAs, recordsIdle = false, passesOnLost = false }: WorkSpec,
  { tenant: listed, listedAs, grant: first }: LeasedTenant,
  writer: OutcomeWriter,
  { aborting, givingBack }: { readonly aborting: AbortSignal; readonly givingBack: () => Promise<unknown> },
): Promise<Ending> {
  let grant = first;
  let tenant = listed;
  let reached: WorkResult['version'];
  const touched: TenantTouch[] = [];
  const { signal, clear } = createDeadline(run, listed, aborting);
  const ran = await runTenant(run, listed, signal, async (attempt) => {
    signal.throwIfAborted();
    // A further attempt takes the lease anew: it reads what the last one left, and its fence shuts out what that may still send.
    // So does a first one whose lease was given back while the run was paused.
    if (attempt > 1 || grant.status !== 'granted' || !run.leases.holds(listed.id)) {
      await givingBack().catch(() => undefined);
      grant = await run.leases.acquire(listed.id, run.limits.leaseWaitMs, signal);
    }
    tenant = grant.tenant;
    const isMigrating = run.command === 'migrate' || run.command === 'rollback';
    if (isMigrating && isRemovedSince(listedAs, tenant.status)) return skipRemoved(tenant);
    const engine = await run.clusters.engine(tenant.cluster, tenant.id);
    const driver = engine.driver(tenant.driver);
    const attempting = linkSignals([signal, run.leases.watch(tenant.id)]);
    const scope: TenantScope = {
      run,
      tenant,
      driver,
      target: { name: tenant.name, marker: { tenant: tenant.id, registry: run.registry.id, operation: tenant.homeOperationId } },
      fence: grant.fence,
      signal: attempting.signal,
      steps: await journal(tenant),
      touched,
      log: (text) => run.logs.write(tenant.id, text),
    };
    try {
      return await work(scope, (version) => {
        reached = version;
      });
    } finally {
      // Whatever a hook started and didn't wait for ends with it.
      attempting.abort(new TenancyError('TENANCY_RUN_ABORTED', {}));
      attempting.release();
    }
  }).finally(clear);
  const ending = passesOnLost && ran.outcome.error?.code === 'TENANCY_LEASE_LOST' ? toCancelled(ran) : ran;

  const version = ending.result?.version ?? reached;
  if (grant.status === 'granted') {
    const isIdle =
      !recordsIdle &&
      touched.length === 0 &&
      ending.outcome.outcome === 'up-to-date' &&
      (tenant.lastError === null || run.command === 'verify') &&
      isRecorded(tenant, version);
    if (isIdle) await run.leases.release([tenant.id]).catch(() => undefined);
    else {
      writer.write({
        outcome: ending.outcome,
        owner: run.leases.owner,
        fence: grant.fence,
        ...(version ? { version } : {}),
        touched,
        lastError: isUntouched(run.command, ending) ? tenant.lastError : toFailure(ending.outcome),
        ...(failAs && isFailure(ending.outcome.outcome) ? { transition: TRANSITIONS[failAs] } : {}),
      });
    }
  } else writer.write({ outcome: ending.outcome, owner: run.leases.owner, fence: 0, lastError: null });
  return ending;
}

/** Passes over a tenant that is not to be started any more, and gives back its lease. */
export async function passOver(run: RunContext, { tenant, grant }: LeasedTenant, writer: OutcomeWriter): Promise<TenantOutcome> {
  if (grant.status === 'granted') await run.leases.release([tenant.id]).catch(() => undefined);
  const outcome: TenantOutcome = {
    tenant: tenant.id,
    cluster: tenant.cluster,
    outcome: 'not-started',
    attempts: 0,
    from: tenant.schemaVersion,
    to: null,
    ms: 0,
  };
  writer.write({ outcome, owner: run.leases.owner, fence: 0, lastError: null });
  return outcome;
}

function toCancelled(ending: Ending): Ending {
  return { ...ending, outcome: { ...ending.outcome, outcome: 'cancelled' } };
}

function isRecorded(tenant: Tenant, version: WorkResult['version']): boolean {
  return version === undefined || (version.schemaVersion === tenant.schemaVersion && version.migrationsHash === tenant.migrationsHash);
}

/** Somebody has deprovisioned it since it was listed, or is about to: their command goes before what was to be done here. */
function isRemovedSince(listed: Tenant['status'], now: Tenant['status']): boolean {
  return MIGRATABLE.includes(listed) && REMOVED.includes(now);
}

function skipRemoved(tenant: Tenant): WorkResult {
  const { id, status, schemaVersion } = tenant;
  const next = nextOfLeaving(tenant) ?? '';
  const error = new TenancyError('TENANCY_STATE_REFUSED', { tenant: id, status, command: 'migrated', next });
  return { outcome: 'skipped', from: schemaVersion, to: null, error };
}

/** `--timeout`, as a signal, which also aborts when those in flight are stopped. */
function createDeadline(run: RunContext, tenant: Tenant, aborting: AbortSignal): { readonly signal: AbortSignal; clear(): void } {
  const { timeoutMs } = run.limits;
  if (timeoutMs === null) return { signal: aborting, clear: () => undefined };
  const { signal, abort, release } = linkSignals([aborting]);
  const timer = setTimeout(() => abort(new TenancyError('TENANCY_TIMEOUT_REACHED', { tenant: tenant.id, timeoutMs })), timeoutMs);
  const clear = (): void => {
    clearTimeout(timer);
    release();
  };
  return { signal, clear };
}

/** `TENANCY_STATE_MOVED`: what the tenant is by now is another's work, with which we have nothing to do. */
const REFUSALS: ReadonlySet<string> = new Set([
  'TENANCY_STATE_REFUSED',
  'TENANCY_DEPROVISION_REFUSED',
  'TENANCY_RETENTION_UNEXPIRED',
  'TENANCY_STATE_MOVED',
]);

/** What was known of the tenant still holds: it was refused before anything was done, or stopped, or only its access was changed, or it was only looked at. */
function isUntouched(command: RunCommand, { outcome: { outcome, error }, result }: Ending): boolean {
  // A backup changes nothing of the tenant.
  if (command === 'backup') return true;
  if (command === 'verify') return result?.clearsError !== true;
  const isRefused = error !== undefined && REFUSALS.has(error.code);
  return isRefused || outcome === 'cancelled' || (outcome === 'applied' && (command === 'suspend' || command === 'resume'));
}

function toFailure({ outcome, error }: TenantOutcome): TenantFailure | null {
  if (!error || !isFailure(outcome)) return null;
  return { code: error.code, message: error.message, step: error.hook, at: wallClock().toISOString() };
}
