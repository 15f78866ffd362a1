import path from 'node:path';
import { inspect } from 'node:util';
import type { BackupInfo, Hook, HookContext, HookLogin, Hooks } from '../config/types.js';
import { TenancyError } from '../errors.js';
import { untilOverdue } from '../util/abort.js';
import { execForTenant } from '../util/exec.js';
import { tenantUrl } from './logins.js';
import type { TenantScope } from './run-context.js';
import { applySeedFile } from './seed-file.js';
import { sessionOptions } from './session-options.js';
import { touch } from './touches.js';

/** The versions a hook is told about. */
export interface HookVersions {
  readonly from: string | null;
  readonly to: string | null;
}

/** What a hook is handed; nothing in it opens a connection before it is used. */
export function createHookContext(
  scope: TenantScope,
  versions: HookVersions = { from: null, to: null },
  backup: BackupInfo | null = null,
): HookContext {
  const { run, tenant, driver, target, signal } = scope;
  // Made when they are asked for: most hooks want neither, and a fleet has many tenants.
  let url: string | undefined;
  const getUrl = (): string => (url ??= driver.connectionUrl(target));
  const getEnv = (): Record<string, string> => ({
    DATABASE_URL: getUrl(),
    TENANCY_TENANT: tenant.id,
    TENANCY_SCHEMA: driver.capabilities.isSharedDatabase ? tenant.name : '',
    TENANCY_DATABASE: driver.databaseName(target),
    TENANCY_RUN_ID: run.runId,
  });
  return {
    tenant,
    placement: { cluster: tenant.cluster, driver: tenant.driver, name: tenant.name },
    root: run.config.root,
    db: {
      query: (sql, params) => driver.withSession(target, sessionOptions(scope), (session) => session.db.query(sql, params)),
    },
    mongo: <Db>() => {
      if (driver.nativeDatabase) return driver.nativeDatabase(target) as Db;
      throw new TenancyError('TENANCY_QUERY_REFUSED', { tenant: tenant.id, driver: driver.name, call: 'ctx.mongo()', instead: 'ctx.db' });
    },
    get url() {
      return getUrl();
    },
    login: describeLogin(scope),
    get env() {
      return getEnv();
    },
    exec: (file, args = [], options = {}) => {
      const running = execForTenant(file, args, {
        ...options,
        cwd: options.cwd ?? run.config.root,
        env: { ...getEnv(), ...options.env },
        signal,
        onOutput: (text) => scope.log(text),
      });
      // One that the hook doesn't wait for is killed when the tenant is done, and nobody is there to be told.
      running.catch(() => undefined);
      return running;
    },
    driver: {
      name: driver.name,
      create: async () => {
        await driver.create(target, signal);
      },
      drop: async () => {
        await driver.drop(target, signal);
      },
    },
    seed: (file) => applySeedFile(scope, file),
    importModule: (file) => importFrom(run.config.root, file),
    signal,
    log: (text) => scope.log(text),
    dryRun: run.dryRun,
    ...versions,
    runId: run.runId,
    backup,
  };
}

function describeLogin({ run, tenant, driver, target }: TenantScope): HookLogin | null {
  const { login, credentialRef } = tenant;
  if (login?.current == null || credentialRef === null) return null;
  const { current } = login;
  return { user: current, ref: credentialRef, url: () => tenantUrl(run.config, tenant, driver, target) };
}

/** For hooks and migrators, which know no loader of TypeScript. */
export async function importFrom(root: string, file: string): Promise<unknown> {
  const { importModule } = await import('../config/import-config.js');
  return importModule(path.resolve(root, file));
}

/** How long a hook may go on after an abort; then the tenant is given up, and what the hook still does is its own affair. */
const HOOK_GRACE_MS = 3_000;

type Surrounded = 'Create' | 'Migrate' | 'Seed' | 'Backup' | 'Verify' | 'Drop';

/** Runs the `before…` hook, the step itself, and the `after…` hook. */
export async function withHooks(
  scope: TenantScope,
  step: Surrounded,
  context: () => HookContext,
  work: () => Promise<void>,
): Promise<void> {
  const { hooks } = scope.run.config;
  await runHook(scope, `before${step}`, hooks[`before${step}` satisfies keyof Hooks], context);
  await work();
  await runHook(scope, `after${step}`, hooks[`after${step}` satisfies keyof Hooks], context);
}

/** Runs a hook of the user's, if there is one; what it throws names the hook. */
export async function runHook(scope: TenantScope, name: string, hook: Hook | undefined, context: () => HookContext): Promise<void> {
  if (!hook) return;
  // Those of the steps themselves are told by these.
  if (/^(before|after)/.test(name)) touch(scope, { what: `hook:${name}` });
  try {
    await untilOverdue(Promise.resolve(hook(context())), scope.signal, HOOK_GRACE_MS);
  } catch (error) {
    scope.signal.throwIfAborted();
    if (error instanceof TenancyError) throw error;
    const reason =
      error instanceof Error ? error.message : `it threw ${inspect(error, { breakLength: Number.POSITIVE_INFINITY })}, which is no Error`;
    if (error instanceof Error && error.stack) scope.log(error.stack);
    throw new TenancyError('TENANCY_HOOK_FAILED', { tenant: scope.tenant.id, hook: name, reason }, { cause: error });
  }
}
