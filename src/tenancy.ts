import type { ResolvedConfig } from './config/types.js';
import { TenancyError } from './errors.js';
import type { StampedRunEvent } from './events.js';
import type { TenantSelection } from './fleet/selection.js';
import type { Backup, Run, TenantFilter, TenantSummary } from './registry/registry.js';
import type { AdoptOptions } from './runs/adopt-run.js';
import { type AuditReader, openAudit } from './runs/audit/open-audit.js';
import type { BackupOptions } from './runs/backup-run.js';
import type { ControlAnswer } from './runs/control-run.js';
import type { DeprovisionOptions } from './runs/deprovision-run.js';
import type { RunSignals } from './runs/execute-run.js';
import type { MigrateOptions } from './runs/migrate-run.js';
import type { PlannedRunOptions } from './runs/planned-run.js';
import type { FillOptions } from './runs/pool/fill-pool.js';
import type { PoolSelection } from './runs/pool/open-pools.js';
import type { PoolFilling, PoolState } from './runs/pool/pool-report.js';
import type { ProvisionOptions } from './runs/provision-run.js';
import type { PurgeOptions } from './runs/purge-run.js';
import { readTenants } from './runs/read-tenants.js';
import type { RunReport } from './runs/report.js';
import { requireTenant } from './runs/require-tenant.js';
import type { RestoreOptions } from './runs/restore-run.js';
import type { ResumedRun, ResumeOptions } from './runs/resume-run.js';
import type { RetryOptions } from './runs/retry-run.js';
import type { RepairOptions, RotateOptions, TenantRunOptions } from './runs/tenant-runs.js';
import type { UndeleteOptions } from './runs/undelete-run.js';
import type { VerifyOptions, VerifyReport } from './runs/verify/verify-run.js';
import { createWorkspace, type Workspace } from './runs/workspace.js';
import { parseTenantId, type Tenant } from './tenant.js';
import { describeActor } from './util/actor.js';

/** Signals are optional here: without them a run goes on to its end. */
type Loose<Options extends { readonly signals: RunSignals }> = Omit<Options, 'signals' | 'confirm'> & {
  readonly signals?: Partial<RunSignals>;
} & Partial<Pick<Options, Extract<keyof Options, 'confirm'>>>;

/**
 * Everything the command line does, for a program: a sign-up handler, a script, a test.
 *
 * A run answers with a report, also when tenants failed; what makes the whole run impossible is thrown as a `TenancyError`.
 */
export interface Tenancy {
  readonly config: ResolvedConfig;
  /** Registers, creates, migrates, seeds, verifies and activates; what is done already is left as it is. */
  provision(ids: string | readonly string[], options?: Loose<ProvisionOptions>): Promise<RunReport>;
  migrate(selection: TenantSelection, options?: Loose<MigrateOptions>): Promise<RunReport>;
  /** `to` stays applied; `none` takes everything back. */
  rollback(selection: TenantSelection, options: Loose<MigrateOptions> & { readonly to: string }): Promise<RunReport>;
  /** Carries out a plan that a dry run saved (`save`): exactly that, and only where nothing has moved since. */
  carryOut(command: 'migrate' | 'rollback', file: string, options?: Loose<PlannedRunOptions>): Promise<RunReport>;
  /** Removes one tenant and its data for good, or with `retain` closes and keeps it for a while. `confirm` has to be the same id again. */
  deprovision(
    id: string,
    options: Omit<Loose<DeprovisionOptions>, 'confirm'> & { readonly confirm: string | DeprovisionOptions['confirm'] },
  ): Promise<RunReport>;
  /** Makes a backup of each; the tenants stay as they are. */
  backup(selection: TenantSelection, options?: Loose<BackupOptions>): Promise<RunReport>;
  /** Makes a tenant of a backup: of one that is gone the same again, or with `as` another. With `dryRun` it only looks whether it can. */
  restore(id: string, options?: Loose<RestoreOptions>): Promise<RunReport>;
  /** The backups of a tenant, also of one that is gone; newest first. */
  listBackups(id: string, options?: { readonly limit?: number }): Promise<readonly Backup[]>;
  /** Brings a retained tenant back whole. */
  undelete(id: string, options?: Loose<UndeleteOptions>): Promise<RunReport>;
  /** Removes a retained tenant for good, once its time is over. `confirm` has to be the same id again. */
  purge(
    id: string,
    options: Omit<Loose<PurgeOptions>, 'confirm'> & { readonly confirm: string | PurgeOptions['confirm'] },
  ): Promise<RunReport>;
  suspend(id: string, options?: Loose<TenantRunOptions>): Promise<RunReport>;
  resume(id: string, options?: Loose<TenantRunOptions>): Promise<RunReport>;
  /**
   * Gives a tenant a new credential, or its first. The one before goes on until `finish`, the next rotation, or the end of `overlapMs`.
   */
  rotate(id: string, options?: Loose<RotateOptions>): Promise<RunReport>;
  /**
   * What the application connects to a tenant by, as its own login; without one, as the cluster's. Carries a password: never log it.
   * @throws TenancyError `TENANCY_TENANT_NOT_FOUND`, `TENANCY_SECRET_UNREADABLE`
   */
  connectionUrl(id: string): Promise<string>;
  repair(id: string, options?: Loose<TenantRunOptions> & RepairOptions): Promise<RunReport>;
  /** Compares the registry with reality, with `all` in both directions; with `fix` mends what can be mended safely. */
  verify(selection: TenantSelection, options?: Loose<VerifyOptions>): Promise<VerifyReport>;
  /** A protected tenant can't be deprovisioned. False: it was so before. */
  setProtected(id: string, isProtected: boolean): Promise<boolean>;
  /** Takes a tenant's lease away from whoever holds it; null where nobody does. */
  unlock(id: string): Promise<{ readonly owner: string; readonly host: string; readonly since: Date } | null>;
  /** @throws TenancyError `TENANCY_TENANT_NOT_FOUND`. */
  find(id: string): Promise<Tenant>;
  /** In the order of ids, page by page. */
  list(filter?: TenantFilter): AsyncIterable<Tenant>;
  count(filter?: TenantFilter): Promise<number>;
  /** How many tenants for each status, cluster and version. */
  summarize(filter?: TenantFilter): Promise<readonly TenantSummary[]>;
  adopt(options: Loose<AdoptOptions>): Promise<RunReport>;
  findRun(id: string): Promise<Run>;
  retryRun(id: string, options?: Loose<RetryOptions>): Promise<RunReport>;
  /** Has a run start no more tenants until it is resumed, in whichever process it is. */
  pauseRun(id: string): Promise<ControlAnswer>;
  /** Has a paused run go on; goes on here with one that was interrupted or whose process has gone, under its own id. */
  resumeRun(id: string, options?: Loose<ResumeOptions>): Promise<ResumedRun>;
  /** Drains a run, in whichever process it is; with `isNow` stops what is in flight too. */
  cancelRun(id: string, options?: { readonly isNow?: boolean }): Promise<ControlAnswer>;
  /** Makes homes ahead for tenants to come, as `pool` in the config says or as many as `count`; mends, brings up to date and drops what has to be. */
  fillPool(options?: Loose<FillOptions>): Promise<readonly PoolFilling[]>;
  /** The warm pools of the config, one for each cluster that has one. Reads only. */
  readPool(options?: PoolSelection): Promise<readonly PoolState[]>;
  /** Who did what to which tenant, and whether anybody has changed what is written there. */
  readonly audit: AuditReader;
  /** For what has no method of its own; part of the program, not of the public API. @internal */
  readonly workspace: Workspace;
  /** Closes every connection, and stops an embedded server that nobody else uses. */
  close(): Promise<void>;
}

export interface TenancyOptions {
  readonly onEvent?: (event: StampedRunEvent) => void;
  /** Told what a person at a terminal may want to know, such as where an embedded server keeps its data. */
  readonly onNotice?: (text: string) => void;
  /** Who acts, for the audit trail. @default `TENANCY_ACTOR` or a CI system's variable of `env`, else the user of the process */
  readonly actor?: string;
  /** Clusters that may be another server than before. */
  readonly acceptCluster?: readonly string[];
}

/** What the command line knows besides. */
export interface OpenTenancyOptions extends TenancyOptions {
  /** For the variables that say who acts. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `tenant migrate`, for the audit trail. */
  readonly command?: string;
}

/** Opens tenancy over a config that has been resolved. Nothing is connected to before it is needed. */
export function openTenancy(config: ResolvedConfig, options: OpenTenancyOptions = {}): Tenancy {
  const actor = describeActor({ actor: options.actor, env: options.env ?? {}, command: options.command ?? null });
  const workspace = createWorkspace({
    config,
    host: actor.host,
    actor,
    onEvent: options.onEvent ?? (() => undefined),
    onNotice: options.onNotice ?? (() => undefined),
    acceptCluster: options.acceptCluster ?? [],
  });
  return {
    config,
    workspace,
    provision: async (ids, asked = {}) =>
      (await import('./runs/provision-run.js')).provisionTenants(workspace, typeof ids === 'string' ? [ids] : ids, withSignals(asked)),
    migrate: async (selection, asked = {}) =>
      (await import('./runs/migrate-run.js')).migrateTenants(workspace, 'migrate', selection, withSignals(asked)),
    rollback: async (selection, asked) =>
      (await import('./runs/migrate-run.js')).migrateTenants(workspace, 'rollback', selection, withSignals(asked)),
    carryOut: async (command, file, asked = {}) =>
      (await import('./runs/planned-run.js')).migratePlanned(workspace, command, file, withSignals(asked)),
    deprovision: async (id, { confirm, ...asked }) =>
      (await import('./runs/deprovision-run.js')).deprovisionOne(workspace, [id], {
        ...withSignals(asked),
        confirm: typeof confirm === 'function' ? confirm : confirmById(confirm),
      }),
    backup: async (selection, asked = {}) => (await import('./runs/backup-run.js')).backUpTenants(workspace, selection, withSignals(asked)),
    restore: async (id, asked = {}) => (await import('./runs/restore-run.js')).restoreOne(workspace, id, withSignals(asked)),
    listBackups: async (id, { limit = 100 } = {}) => {
      const tenant = parseTenantId(id);
      return (await workspace.registry()).listBackups(tenant, { limit });
    },
    undelete: async (id, asked = {}) => (await import('./runs/undelete-run.js')).undeleteOne(workspace, id, withSignals(asked)),
    purge: async (id, { confirm, ...asked }) =>
      (await import('./runs/purge-run.js')).purgeOne(workspace, [id], {
        ...withSignals(asked),
        confirm: typeof confirm === 'function' ? confirm : confirmById(confirm),
      }),
    suspend: async (id, asked = {}) => (await import('./runs/tenant-runs.js')).suspendOne(workspace, id, withSignals(asked)),
    resume: async (id, asked = {}) => (await import('./runs/tenant-runs.js')).resumeOne(workspace, id, withSignals(asked)),
    rotate: async (id, asked = {}) => (await import('./runs/tenant-runs.js')).rotateOne(workspace, id, withSignals(asked)),
    connectionUrl: async (id) => (await import('./runs/connection-url.js')).connectionUrlOf(workspace, id),
    repair: async (id, asked = {}) => (await import('./runs/tenant-runs.js')).repairOne(workspace, id, asked, withSignals(asked)),
    verify: async (selection, asked = {}) =>
      (await import('./runs/verify/verify-run.js')).verifyTenants(workspace, selection, withSignals(asked)),
    setProtected: (id, isProtected) => setProtected(workspace, id, isProtected),
    unlock: async (rawId) => {
      const id = parseTenantId(rawId);
      const registry = await workspace.registry();
      const tenant = await requireTenant(registry, id);
      return registry.breakLease(tenant.id);
    },
    find: async (rawId) => {
      const id = parseTenantId(rawId);
      return requireTenant(await workspace.registry(), id);
    },
    list: (filter = {}) => listTenants(workspace, filter),
    count: async (filter = {}) => (await workspace.registry()).countTenants(filter),
    summarize: async (filter = {}) => (await workspace.registry()).summarize(filter),
    adopt: async (asked) =>
      (await import('./runs/adopt-run.js')).adoptHomes(workspace, {
        ...withSignals(asked),
        confirm: asked.confirm ?? (async () => undefined),
      }),
    findRun: async (id) => (await import('./runs/find-run.js')).findRun(await workspace.registry(), id),
    retryRun: async (id, asked = {}) => (await import('./runs/retry-run.js')).retryRun(workspace, id, withSignals(asked)),
    pauseRun: async (id) => (await import('./runs/control-run.js')).pauseRun(workspace, id),
    resumeRun: async (id, asked = {}) => (await import('./runs/resume-run.js')).resumeRun(workspace, id, withSignals(asked)),
    cancelRun: async (id, { isNow = false } = {}) => (await import('./runs/control-run.js')).cancelRun(workspace, id, { isNow }),
    fillPool: async (asked = {}) => (await import('./runs/pool/fill-pool.js')).fillPools(workspace, withSignals(asked)),
    readPool: async (asked = {}) => (await import('./runs/pool/open-pools.js')).readPools(workspace, asked),
    audit: openAudit(workspace),
    close: () => workspace.close(),
  };
}

function withSignals<Options extends { readonly signals?: Partial<RunSignals> }>(
  options: Options,
): Omit<Options, 'signals'> & { readonly signals: RunSignals } {
  const never = new AbortController().signal;
  return { ...options, signals: { drain: options.signals?.drain ?? never, abort: options.signals?.abort ?? never } };
}

/** A confirmation that was given beforehand: the id, once more. */
function confirmById(given: string): (tenant: Tenant) => Promise<void> {
  return async ({ id }) => {
    if (given !== id) throw new TenancyError('TENANCY_CONFIRMATION_MISMATCHED', { expected: id, given });
  };
}

async function setProtected(workspace: Workspace, rawId: string, isProtected: boolean): Promise<boolean> {
  const id = parseTenantId(rawId);
  const registry = await workspace.registry();
  const tenant = await requireTenant(registry, id);
  if (tenant.isProtected === isProtected) return false;
  const event = isProtected ? 'tenant.protected' : 'tenant.unprotected';
  const { status, lease } = tenant;
  if (status === 'deprovisioned') {
    const next = 'there is nothing left of it to protect';
    throw new TenancyError('TENANCY_STATE_REFUSED', { tenant: tenant.id, status, command: 'protected', next });
  }
  // Who is just removing it may be past its last look at the protection: to say that it is protected now would be a lie.
  const isBeingRemoved = status === 'deprovisioning';
  if (isBeingRemoved && lease && !lease.isExpired) {
    const { owner, host, since } = lease;
    throw new TenancyError('TENANCY_LOCK_HELD', { tenant: tenant.id, owner, host, since: since.toISOString() });
  }
  const fence = isBeingRemoved ? tenant.fence : null;
  const changed = await registry.updateTenants([{ id: tenant.id, fence, from: [status], set: { isProtected }, runId: null, event }]);
  if (changed.length === 0) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
  return true;
}

async function* listTenants(workspace: Workspace, filter: TenantFilter): AsyncGenerator<Tenant> {
  yield* readTenants(await workspace.registry(), filter);
}
