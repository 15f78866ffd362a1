import path from 'node:path';
import type { BackupInfo } from '../../config/types.js';
import type { BackupDriver, BackupTools, TenantDriver, TenantTarget } from '../../drivers/driver.js';
import { TenancyError } from '../../errors.js';
import { historyDigest } from '../../migrations/history-digest.js';
import { wallClock } from '../../util/clock.js';
import { createBackupId } from '../../util/names.js';
import { createHookContext, runHook, withHooks } from '../hook-context.js';
import type { RunContext, TenantScope, WorkResult } from '../run-context.js';
import { sessionOptions } from '../session-options.js';
import { runStep } from '../steps.js';
import { beginDraft, checkDirectory, describeFileError } from './backup-folder.js';
import type { FoundBackup } from './find-backup.js';
import type { BackupManifest } from './manifest.js';
import { withScratch } from './scratch.js';

/** How a tenant is backed up: by a hook of the user's, or by the tool itself. */
export type BackupWay = { readonly type: 'hook' } | OwnWay;

interface OwnWay {
  readonly type: 'own';
  readonly directory: string;
  readonly tools: BackupTools;
}

/** @throws TenancyError `TENANCY_BACKUP_NOT_SUPPORTED` */
export function requireBackups({ backups, name }: TenantDriver): BackupDriver {
  if (backups === undefined) throw new TenancyError('TENANCY_BACKUP_NOT_SUPPORTED', { driver: name });
  return backups;
}

/**
 * Finds out, before anything is touched, how tenants of this driver are backed up, that there are tools for it (with `target`, also for what is in that home),
 * and that there is a place. Null: the config says nothing of backups.
 */
export async function planBackup(
  { config, runId }: Pick<RunContext, 'config' | 'runId'>,
  driver: TenantDriver,
  { signal, target, isDry = false }: { readonly signal: AbortSignal; readonly target?: TenantTarget; readonly isDry?: boolean },
): Promise<BackupWay | null> {
  if (config.hooks.backup !== undefined) return { type: 'hook' };
  if (config.backups === null) return null;
  const { directory, tools: paths } = config.backups;
  const backups = requireBackups(driver);
  const tools = await backups.check({ purpose: 'dump', paths, signal });
  if (target !== undefined) await backups.checkHome?.(target, tools, signal);
  if (!isDry) await checkDirectory(directory, runId);
  return { type: 'own', directory, tools };
}

/** `tenant backup`: the hooks and the backup; the tenant stays as it is. */
export async function backUpTenant(scope: TenantScope, way: BackupWay): Promise<WorkResult> {
  const { tenant, driver, target } = scope;
  await runStep(scope, 'backup', async () => {
    const presence = await driver.probe(target, { isFromOutside: true });
    if (presence.status !== 'ours') {
      throw new TenancyError('TENANCY_HOME_MISSING', { tenant: tenant.id, name: tenant.name, cluster: tenant.cluster });
    }
    if (way.type === 'own') await driver.backups?.checkHome?.(target, way.tools, scope.signal);
    const made = await makeBackup(scope, way);
    return made === null ? {} : { detail: made.path };
  });
  return { outcome: 'applied', from: tenant.schemaVersion, to: tenant.schemaVersion };
}

/** With the hooks around it. Null where a hook of the user's has made it. */
export async function makeBackup(scope: TenantScope, way: BackupWay): Promise<BackupInfo | null> {
  let made: BackupInfo | null = null;
  const context = () => createHookContext(scope, { from: scope.tenant.schemaVersion, to: null }, made);
  await withHooks(scope, 'Backup', context, async () => {
    if (way.type === 'hook') await runHook(scope, 'backup', scope.run.config.hooks.backup, context);
    else made = await dumpTenant(scope, way);
  });
  return made;
}

async function dumpTenant(scope: TenantScope, way: OwnWay): Promise<BackupInfo> {
  const { run, tenant } = scope;
  const { manifest, path: file } = await publishDump(scope, way);
  const { id, sha256, bytes, incarnation, cluster, driver, format, schemaVersion, migrationsHash } = manifest;
  const made: BackupInfo = { id, path: file, sha256, bytes };
  // It is there by now, also where the registry can't be told: `tenant restore --from` finds it by its manifest.
  await run.registry.recordBackup({
    ...made,
    tenant: tenant.id,
    incarnation,
    cluster,
    driver,
    format,
    schemaVersion,
    migrationsHash,
    runId: run.runId,
  });
  run.emit({ type: 'backup.finished', tenant: tenant.id, backup: id, path: file, sha256, bytes });
  return made;
}

async function publishDump(scope: TenantScope, { directory, tools }: OwnWay): Promise<FoundBackup> {
  const { run, tenant, driver, target, signal } = scope;
  const backups = requireBackups(driver);
  const [id, at] = [createBackupId(), wallClock()];
  const { applied } = await driver.withSession(target, sessionOptions(scope), (session) => session.readHistory());
  const { extension, isFolder, format } = backups;
  // The sessions and logins of an attempt that was killed.
  await backups.sweep(target, signal);
  const draft = await beginDraft(directory, { tenant: tenant.id, id, at, extension, isFolder, owner: run.registry.id }).catch(
    (error: unknown) => {
      throw unwritten(scope, directory, describeFileError(error), error);
    },
  );
  try {
    await withScratch(scope, (scratch) =>
      backups.dump(target, draft.path, { tools, scratch, lockTimeoutMs: run.limits.lockTimeoutMs, signal, log: (text) => scope.log(text) }),
    );
    const digest = await draft.seal(signal);
    // What it has been dumped under is this process's still, or the picture may be another's.
    await run.leases.confirm(tenant.id);
    const manifest: BackupManifest = {
      v: 1,
      id,
      tenant: tenant.id,
      incarnation: tenant.incarnation,
      labels: tenant.labels,
      cluster: tenant.cluster,
      driver: tenant.driver,
      name: tenant.name,
      format,
      file: path.basename(draft.finalPath),
      ...digest,
      engineVersion: tools.engineVersion,
      tool: tools.described,
      toolVersion: tools.version,
      schemaVersion: tenant.schemaVersion,
      migrationsHash: tenant.migrationsHash,
      historyDigest: applied.length === 0 ? null : historyDigest(applied),
      registry: run.registry.id,
      run: run.runId,
      at: at.toISOString(),
    };
    await draft.publish(manifest);
    return { manifest, path: draft.finalPath };
  } catch (error) {
    await draft.discard().catch(() => undefined);
    signal.throwIfAborted();
    const { code } = error as NodeJS.ErrnoException;
    const isFull =
      code === 'ENOSPC' ||
      code === 'EDQUOT' ||
      (error instanceof Error && /no space left on device|disk quota exceeded/i.test(error.message));
    throw isFull ? unwritten(scope, draft.finalPath, 'the disk is full', error) : error;
  }
}

function unwritten({ tenant }: TenantScope, path: string, reason: string, cause: unknown): TenancyError {
  return new TenancyError('TENANCY_BACKUP_UNWRITTEN', { tenant: tenant.id, path, reason }, { cause });
}
