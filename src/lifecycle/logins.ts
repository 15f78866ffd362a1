import type { ResolvedConfig } from '../config/types.js';
import type { LoginCredential, LoginDriver, TenantDriver, TenantTarget } from '../drivers/driver.js';
import { loginNames, otherLogin } from '../drivers/login-names.js';
import { TenancyError } from '../errors.js';
import { createPassword } from '../secrets/password.js';
import { resolveReference } from '../secrets/resolve-reference.js';
import { createSecretSink, type SecretSink } from '../secrets/secret-sink.js';
import type { Tenant, TenantLogin, TenantStatus } from '../tenant.js';
import { registerUrlSecrets } from '../util/redact.js';
import type { TenantScope } from './run-context.js';

/** What the registry then says of the tenant. */
export interface MadeLogin {
  readonly login: TenantLogin;
  readonly credentialRef: string;
  readonly credential: LoginCredential;
}

/** New tenants of this cluster are given a login of their own. */
export function isIsolated(config: ResolvedConfig, cluster: string): boolean {
  return config.clusters[cluster]?.isolation === 'role';
}

/** There may be logins of this tenant's on its server. */
export function mayHaveLogins(config: ResolvedConfig, tenant: Tenant): boolean {
  return tenant.login !== null || isIsolated(config, tenant.cluster);
}

/**
 * Makes the login that isn't in use, with a new password. `isFirst`: of a tenant that nobody was told of yet, so what an earlier attempt made is not in use
 * either and is made again, under its name: two would be an open rotation from the first day on.
 *
 * ```
 * entered in the registry ──→ password stored ──→ made, or given the password ──→ current in the registry
 * ```
 * Killed between any two, the next attempt makes it again with another password, and nobody was told to use it before. What is current goes on as it is.
 */
export async function makeLogin(
  scope: TenantScope,
  { from, isFirst = false }: { readonly from: readonly TenantStatus[]; readonly isFirst?: boolean },
): Promise<MadeLogin> {
  const { run, tenant, target, signal } = scope;
  const { logins, sink } = requireLogins(scope);
  const { current = null, next = null, previous = null } = tenant.login ?? {};
  const name = next ?? (isFirst && current !== null ? current : otherLogin(target.marker, current));
  await changeLogin(scope, from, 'tenant.login-making', { login: { current, next: name, previous } });
  const credential = { name, password: createPassword() };
  const ref = await sink.store({ tenant: tenant.id, login: name, password: credential.password }, scope);
  await run.leases.confirm(tenant.id);
  await logins.ensure(target, credential, signal);
  const isReplaced = current !== null && current !== name && tenant.credentialRef !== null;
  const replaced = isReplaced ? { name: current, credentialRef: tenant.credentialRef } : null;
  return { login: { current: name, next: null, previous: current === name ? previous : replaced }, credentialRef: ref, credential };
}

/** From here on it is the one to use. */
export async function announceLogin(scope: TenantScope, from: readonly TenantStatus[], { login, credentialRef }: MadeLogin): Promise<void> {
  await changeLogin(scope, from, 'tenant.login-made', { login, credentialRef });
}

/** Keeps the login before the current one out for good. */
export async function retirePrevious(scope: TenantScope, from: readonly TenantStatus[]): Promise<string | null> {
  const { run, tenant, target, signal } = scope;
  const { login } = tenant;
  if (login?.previous == null) return null;
  const { logins, sink } = requireLogins(scope);
  const { name, credentialRef } = login.previous;
  await run.leases.confirm(tenant.id);
  await logins.lock(target, [name], signal);
  await forgetSecret(scope, sink, name, credentialRef);
  await changeLogin(scope, from, 'tenant.login-retired', { login: { ...login, previous: null } });
  return name;
}

/** Removes every login of the tenant's, and what was stored of them. */
export async function dropLogins(scope: TenantScope): Promise<readonly string[]> {
  const { run, tenant, driver, target, signal } = scope;
  if (!driver.logins) return [];
  const dropped = await driver.logins.drop(target, signal);
  const { secrets, root } = run.config;
  const known = new Map([
    [tenant.login?.current, tenant.credentialRef],
    [tenant.login?.previous?.name, tenant.login?.previous?.credentialRef ?? null],
  ]);
  if (secrets === null) {
    if (tenant.login?.current != null) warnKept(scope, tenant.credentialRef ?? tenant.login.current);
    return dropped;
  }
  const sink = createSecretSink(secrets, root);
  for (const name of loginNames(target.marker).logins) await forgetSecret(scope, sink, name, known.get(name) ?? null);
  return dropped;
}

/** The password of the current login, from where it was stored. @throws TenancyError `TENANCY_LOGIN_MISSING`, `TENANCY_SECRET_UNREADABLE` */
export async function readCredential(config: ResolvedConfig, tenant: Tenant): Promise<LoginCredential> {
  const { login, credentialRef } = tenant;
  if (login?.current == null || credentialRef === null) throw new TenancyError('TENANCY_LOGIN_MISSING', { tenant: tenant.id });
  const { value, user } = await resolveReference(credentialRef, config);
  return { name: user ?? login.current, password: value };
}

/** What the application connects to a tenant by: as its own login, or as the cluster's where it has none. */
export async function tenantUrl(config: ResolvedConfig, tenant: Tenant, driver: TenantDriver, target: TenantTarget): Promise<string> {
  if (tenant.login?.current == null || !driver.logins) return driver.connectionUrl(target);
  const credential = await readCredential(config, tenant);
  const url = isUrl(credential.password) ? credential.password : driver.logins.connectionUrl(target, credential);
  registerUrlSecrets(url);
  return url;
}

/** What a reference leads to may be the whole URL. */
function isUrl(value: string): boolean {
  return /^(postgres(ql)?|mysql|mariadb|mongodb(\+srv)?):\/\//.test(value);
}

function requireLogins({ run, tenant, driver }: TenantScope): { readonly logins: LoginDriver; readonly sink: SecretSink } {
  const { secrets, root } = run.config;
  if (secrets === null || !driver.logins) {
    throw new TenancyError('TENANCY_ISOLATION_OFF', { tenant: tenant.id, cluster: tenant.cluster });
  }
  return { logins: driver.logins, sink: createSecretSink(secrets, root) };
}

async function changeLogin(
  { run, tenant, fence }: TenantScope,
  from: readonly TenantStatus[],
  event: string,
  set: { readonly login: TenantLogin; readonly credentialRef?: string },
): Promise<void> {
  const changed = await run.changeTenant({ id: tenant.id, fence, from, set, runId: run.runId, event });
  if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
}

async function forgetSecret(scope: TenantScope, sink: SecretSink, name: string, ref: string | null): Promise<void> {
  const answer = await sink.remove({ tenant: scope.tenant.id, login: name, ref }, scope);
  if (answer === 'kept' && ref !== null) warnKept(scope, ref);
}

function warnKept({ run, tenant }: TenantScope, ref: string): void {
  const message = `the login is gone, but what was stored of it is not ours to remove: ${ref}`;
  run.emit({ type: 'run.warned', code: 'TENANCY_SECRET_KEPT', message, tenant: tenant.id });
}
