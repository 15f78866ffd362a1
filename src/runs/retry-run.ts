import { TenancyError } from '../errors.js';
import type { RunCommand } from '../events.js';
import { RETRIED_OUTCOMES } from '../fleet/tally.js';
import { createRunMigrator } from '../lifecycle/migrator.js';
import { MIGRATABLE } from '../lifecycle/transitions.js';
import type { Registry, Run, TenantFilter } from '../registry/registry.js';
import { TENANT_STATUSES } from '../tenant.js';
import { backUpFiltered } from './backup-run.js';
import { readCaution } from './caution.js';
import { findRun } from './find-run.js';
import { type MigrateOptions, migrateFiltered } from './migrate-run.js';
import { type ProvisionOptions, provisionTenants } from './provision-run.js';
import { readTenants } from './read-tenants.js';
import type { RunReport } from './report.js';
import { readShardOf } from './shard-of-run.js';
import type { Workspace } from './workspace.js';

/** What was removed since is left in peace. */
export const STANDING = TENANT_STATUSES.filter((status) => status !== 'deprovisioned');

export type RetryOptions = Omit<MigrateOptions, 'to' | 'allowOutOfOrder' | 'dryRun' | 'forceVerify'> & Pick<ProvisionOptions, 'limits'>;

/**
 * Runs again what failed in a run, was cancelled, or was never started. A run whose process died recorded no such list,
 * so its whole selection is looked at again: what is done there is found to be done.
 */
export async function retryRun(workspace: Workspace, runId: string, options: RetryOptions): Promise<RunReport> {
  const registry = await workspace.registry();
  const run = await findRun(registry, runId);
  if (run.status === 'running' || run.status === 'paused') {
    throw isNotOver(run);
  }
  switch (run.command) {
    case 'migrate':
    case 'rollback':
      return retryMigrate(workspace, registry, run, options);
    case 'provision':
      return provisionTenants(workspace, await listRetried(registry, run), { ...options, labels: readLabels(run) });
    case 'backup':
      return backUpFiltered(workspace, registry, { filter: readRetried(run) }, options);
    default:
      throw new TenancyError('TENANCY_RUN_NOT_RETRIABLE', {
        run: run.id,
        reason: `it was a ${run.command}`,
        next: 'run that command again: it continues where it was',
      });
  }
}

async function retryMigrate(workspace: Workspace, registry: Registry, run: Run, options: RetryOptions): Promise<RunReport> {
  const command = run.command === 'rollback' ? 'rollback' : 'migrate';
  const to = typeof run.options['to'] === 'string' ? run.options['to'] : null;
  const allowOutOfOrder = run.options['allowOutOfOrder'] === true;
  const migrator = await createRunMigrator(workspace.config, {
    direction: command === 'migrate' ? 'up' : 'down',
    to,
    allowOutOfOrder,
    forceVerify: false,
  });
  const filter = readRetried(run);
  // As careful as the run was, but for what is asked anew.
  const caution = readCaution(run);
  const asked = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== null));
  return migrateFiltered(workspace, command, { registry, filter, migrator }, { ...options, ...caution, ...asked, to, allowOutOfOrder });
}

/** What it did not bring to a good end; of one that was killed, all of it. */
function readRetried(run: Run): TenantFilter {
  if (run.counts === null) return readFilter(run);
  return { statuses: STANDING, ofRun: { runId: run.id, outcomes: RETRIED_OUTCOMES }, ...readShardOf(run) };
}

async function listRetried(registry: Registry, run: Run): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { id } of readTenants(registry, readProvisionFilter(run))) ids.push(id);
  if (ids.length === 0)
    throw new TenancyError('TENANCY_RUN_NOT_RETRIABLE', {
      run: run.id,
      reason: 'nothing in it failed',
      next: `see \`tenancy run show ${run.id}\``,
    });
  return ids;
}

function readProvisionFilter({ id, options, counts }: Run): TenantFilter {
  if (counts !== null) return { statuses: STANDING, ofRun: { runId: id, outcomes: RETRIED_OUTCOMES } };
  const ids = options['ids'];
  if (Array.isArray(ids)) return { statuses: STANDING, ids: ids.map(String) };
  throw hasForgotten(id, 'provision them again: what is done is left as it is');
}

/** Placement may go by them. */
export function readLabels({ options }: Run): Readonly<Record<string, string>> {
  return (options['labels'] ?? {}) as Readonly<Record<string, string>>;
}

export function readFilter({ id, command, options }: Pick<Run, 'id' | 'command' | 'options'>): TenantFilter {
  const asked = options['filter'] as (TenantFilter & { readonly ids?: readonly string[] | null }) | undefined;
  if (!asked || asked.ids === null) {
    throw hasForgotten(
      id,
      typeof options['plan'] === 'string' ? planAnew(command) : `${command} them again: what is done is left as it is`,
    );
  }
  // Of those that were named, one that is not in use is refused by name, as it was or would have been then.
  return { statuses: asked.ids === undefined ? MIGRATABLE : STANDING, ...asked };
}

function isNotOver({ id, status }: Run): TenancyError {
  const show = `\`tenancy run show ${id}\` says how far it is`;
  const [reason, next] =
    status === 'paused'
      ? ['it is paused', `\`tenancy run resume ${id}\` goes on with it, and \`tenancy run cancel ${id}\` ends it`]
      : ['it is still running', `${show}, \`tenancy run pause ${id}\` holds it, and \`tenancy run cancel ${id}\` ends it`];
  return new TenancyError('TENANCY_RUN_NOT_RETRIABLE', { run: id, reason, next });
}

/** Of ids by the thousand a run that was killed has only those that had an outcome. */
function hasForgotten(run: string, next: string): TenancyError {
  return new TenancyError('TENANCY_RUN_NOT_RETRIABLE', { run, reason: 'it was killed, and its list of ids was too long to keep', next });
}

/** The old one holds no longer: some of its tenants have moved. */
function planAnew(command: RunCommand): string {
  return `plan what is left anew: \`tenancy tenant ${command} --all --dry-run --save FILE\` (or the plan's own selection), then \`--plan FILE\``;
}
