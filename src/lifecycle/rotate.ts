import { TenancyError } from '../errors.js';
import type { StepName } from '../events.js';
import { sleep } from '../util/abort.js';
import { formatDuration } from '../util/duration.js';
import { announceLogin, isIsolated, makeLogin, retirePrevious } from './logins.js';
import { nextOfLeaving } from './retained.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { runStep } from './steps.js';

/** Only of tenants that are in use: what a rotation makes can log in. */
const ROTATABLE = ['active'] as const;

export interface RotateAnswers {
  /** Only ends the overlap that an earlier rotation began. */
  readonly isFinish: boolean;
  /** How long both are good, before this command ends it; null: until a later one does. */
  readonly overlapMs: number | null;
}

export function listRotateSteps({ isFinish, overlapMs }: RotateAnswers, hasPrevious: boolean): readonly StepName[] {
  if (isFinish) return ['retire-login'];
  return [
    ...(hasPrevious ? (['retire-login'] as const) : []),
    'create-login',
    'verify',
    ...(overlapMs === null ? [] : (['retire-login'] as const)),
  ];
}

/**
 * A new credential for the login that isn't in use; the one in use goes on until it is retired: by `--finish`, or by the next rotation, which
 * needs its place. A tenant without a login of its own is given its first.
 */
export async function rotateTenant(scope: TenantScope, { isFinish, overlapMs }: RotateAnswers): Promise<WorkResult> {
  const { run, tenant, driver, target, signal } = scope;
  const version = { from: tenant.schemaVersion, to: tenant.schemaVersion };
  if (!(ROTATABLE as readonly string[]).includes(tenant.status)) {
    const next =
      tenant.status === 'suspended'
        ? `\`tenancy tenant resume ${tenant.id}\` first`
        : (nextOfLeaving(tenant) ?? `see \`tenancy tenant show ${tenant.id}\``);
    throw new TenancyError('TENANCY_STATE_REFUSED', { tenant: tenant.id, status: tenant.status, command: 'rotated', next });
  }
  if (isFinish) {
    if (tenant.login === null) throw new TenancyError('TENANCY_LOGIN_MISSING', { tenant: tenant.id });
    if (tenant.login.previous === null) return { outcome: 'up-to-date', ...version };
    await retire(scope);
    return { outcome: 'applied', ...version };
  }
  if (tenant.login === null && !isIsolated(run.config, tenant.cluster)) {
    throw new TenancyError('TENANCY_ISOLATION_OFF', { tenant: tenant.id, cluster: tenant.cluster });
  }
  if (tenant.login?.previous) await retire(scope);
  const begun: TenantScope = { ...scope, tenant: { ...tenant, login: tenant.login && { ...tenant.login, previous: null } } };

  let made: Awaited<ReturnType<typeof makeLogin>> | null = null;
  await runStep(scope, 'create-login', async () => {
    made = await makeLogin(begun, { from: ROTATABLE });
    return { detail: made.credential.name };
  });
  await runStep(scope, 'verify', async () => {
    if (made === null) return;
    await driver.logins?.check(target, made.credential, signal);
    await announceLogin(begun, ROTATABLE, made);
    return {
      detail:
        made.login.previous === null
          ? made.credentialRef
          : `${made.credentialRef}; ${made.login.previous.name} is good until it is retired`,
    };
  });
  if (overlapMs !== null && made !== null) {
    const { login, credentialRef } = made as Awaited<ReturnType<typeof makeLogin>>;
    if (overlapMs > 0 && login.previous !== null) {
      scope.log(`both logins are good for ${formatDuration(overlapMs)}`);
      await sleep(overlapMs, signal);
    }
    await retire({ ...scope, tenant: { ...tenant, login, credentialRef } });
  }
  return { outcome: 'applied', ...version };
}

async function retire(scope: TenantScope): Promise<void> {
  await runStep(scope, 'retire-login', async () => {
    const name = await retirePrevious(scope, ROTATABLE);
    return name === null ? { status: 'done-before' } : { detail: name };
  });
}
