import { TenancyError } from '../errors.js';
import type { StepName } from '../events.js';
import type { TenantChange } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';
import { stopInterrupted, sweepInterrupted } from './backups/sweep-interrupted.js';
import { refuseProtected } from './guard-deprovision.js';
import { createHookContext, runHook, withHooks } from './hook-context.js';
import { dropLogins, mayHaveLogins } from './logins.js';
import type { StepJournal, TenantScope } from './run-context.js';
import { noJournal, runStep } from './steps.js';
import { TRANSITIONS } from './transitions.js';

const PAGE = 1_000;

export function listDropSteps(hasLogins: boolean): readonly StepName[] {
  return ['drop', ...(hasLogins ? (['drop-access'] as const) : []), 'verify', 'tombstone'];
}

/**
 * The step from which there is no way back. `pass` is the last look before it, which no fence guards: it throws where the lease isn't ours
 * any more, or somebody has protected the tenant meanwhile. The journal knows of the step from then on only: what a `beforeDrop` has ended left the home whole.
 */
export async function dropHome(
  scope: TenantScope,
  { isLeftAlone, pass }: { readonly isLeftAlone: boolean; readonly pass: () => Promise<void> },
): Promise<void> {
  const { run, tenant, driver, target, signal } = scope;
  const { drop } = run.config.hooks;
  const context = () => createHookContext(scope, { from: tenant.schemaVersion, to: null });
  let hasPassed = false;
  const steps: StepJournal = {
    ...scope.steps,
    started: async () => undefined,
    failed: async (step, error) => {
      if (hasPassed) await scope.steps.failed(step, error);
    },
  };
  await runStep({ ...scope, steps }, 'drop', async () => {
    if (isLeftAlone) return { status: 'done-before' };
    let detail: string = 'dropped';
    await withHooks(scope, 'Drop', context, async () => {
      await pass();
      await scope.steps.started('drop');
      hasPassed = true;
      const isLeft = await stopInterrupted(scope);
      if (drop) await runHook(scope, 'drop', drop, context);
      else detail = await driver.drop(target, signal);
      await sweepInterrupted(scope, isLeft);
    });
    return detail === 'absent' ? { status: 'done-before' } : { detail };
  });
}

/** Its own logins, which outlive the home. */
export async function dropAccess(scope: TenantScope): Promise<void> {
  if (!mayHaveLogins(scope.run.config, scope.tenant)) return;
  await runStep(scope, 'drop-access', async () => {
    const dropped = await dropLogins(scope);
    return dropped.length === 0 ? { status: 'done-before' } : { detail: dropped.join(', ') };
  });
}

/** The home is gone, under each of its names, and so is whatever would open the next one of its name; what is left is named. */
export async function verifyGone(scope: TenantScope, isLeftAlone: boolean): Promise<void> {
  const { tenant, driver, target, signal } = scope;
  const fail = (reason: string): TenancyError => new TenancyError('TENANCY_STEP_FAILED', { tenant: tenant.id, step: 'verify', reason });
  await runStep(scope, 'verify', async () => {
    if (isLeftAlone) return {};
    const presence = await driver.probe(target);
    if (presence.status !== 'absent') throw fail(`${tenant.name} is still on cluster ${tenant.cluster} after the drop`);
    // One that never came to be active had nobody to be let in, and rights that somebody has given in advance are not its.
    const swept = tenant.activatedAt === null ? undefined : await driver.sweepLeft?.(target, signal);
    const logins = mayHaveLogins(scope.run.config, tenant) ? ((await driver.logins?.list(target)) ?? []) : [];
    const left = [...(swept?.left ?? []), ...logins.map(({ name }) => `the login ${name}`)];
    if (left.length > 0)
      throw fail(`on cluster ${tenant.cluster} there is still ${left.slice(0, 5).join(', ')}${left.length > 5 ? ' and more' : ''}`);
    return swept === undefined || swept.removed.length === 0 ? {} : { detail: `also removed ${swept.removed.join(', ')}` };
  });
}

/** Not journaled: the change of state ends the operation, and nothing may be left to be written behind it. */
export async function buryTenant(scope: TenantScope): Promise<void> {
  const { run, tenant, fence } = scope;
  await scope.steps.flush();
  await runStep({ ...scope, steps: noJournal }, 'tombstone', async () => {
    const changed = await run.changeTenant({
      id: tenant.id,
      fence,
      ...TRANSITIONS['deprovision.tombstone'],
      set: {
        operation: null,
        lastError: null,
        schemaVersion: null,
        migrationsHash: null,
        retainForMs: null,
        credentialRef: null,
        login: null,
      },
      runId: run.runId,
      event: 'tenant.deprovisioned',
    });
    if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
  });
}

/** A change of state that nobody may make for a protected tenant. @throws TenancyError where it did not match: protected meanwhile, or another's by now */
export async function changeUnprotected(
  scope: TenantScope,
  change: Omit<TenantChange, 'id' | 'fence' | 'runId' | 'ifProtected'>,
): Promise<Tenant> {
  const { run, tenant, fence } = scope;
  const changed = await run.changeTenant({ ...change, id: tenant.id, fence, ifProtected: false, runId: run.runId });
  if (changed) return changed;
  const found = await run.registry.findTenant(tenant.id);
  if (found?.fence === fence) refuseProtected(found);
  throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
}

/** A home that is not under its name may still be there under another: then a tombstone would be a lie. */
export async function refuseRenamed({ tenant, driver, target }: TenantScope): Promise<void> {
  if (tenant.activatedAt === null) return;
  const { marker } = target;
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof driver.list>> = await driver.list({ after, limit: PAGE });
    const found = page.find((home) => home.marker?.operation === marker.operation && home.marker.registry === marker.registry);
    if (found) {
      throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
        reason: `${tenant.name} is not on cluster ${tenant.cluster}, but ${found.name} carries ${tenant.id}'s marker: it was renamed by hand`,
        next: `rename ${found.name} back to ${tenant.name}, then run the same command again`,
      });
    }
    after = page.at(-1)?.name ?? null;
    if (page.length < PAGE) return;
  }
}

export function warnGone({ run, tenant }: TenantScope): void {
  if (tenant.activatedAt === null) return;
  const message = `${tenant.name} was not on cluster ${tenant.cluster} any more: there is nothing to drop`;
  run.emit({ type: 'run.warned', code: 'TENANCY_HOME_MISSING', message, tenant: tenant.id });
}

/** What is in the way of a drop is said before anything is touched. @throws TenancyError `TENANCY_DEPROVISION_REFUSED` */
export async function refuseObstacles({ tenant, driver, target }: TenantScope): Promise<void> {
  const obstacles = await driver.planDrop(target);
  if (obstacles.length === 0) return;
  throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
    reason: `dropping ${tenant.name} would reach beyond ${tenant.id}: ${obstacles.slice(0, 5).join('; ')}${obstacles.length > 5 ? `; and ${obstacles.length - 5} more` : ''}`,
    next: 'move or drop those first, then run the same command again',
  });
}

/** @throws TenancyError `TENANCY_DEPROVISION_REFUSED` */
export function refuseForeignHome({ tenant }: TenantScope): never {
  throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
    reason: `${tenant.name} on cluster ${tenant.cluster} doesn't carry ${tenant.id}'s marker, so it isn't ours to drop`,
    next: `look at it by hand; \`tenancy tenant show ${tenant.id}\` has what the registry knows`,
  });
}
