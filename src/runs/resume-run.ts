import type { FailureBudget } from '../fleet/failure-budget.js';
import { createRunMigrator, type RunMigrator } from '../lifecycle/migrator.js';
import type { RunLimits } from '../lifecycle/run-context.js';
import type { Registry, Run, TenantFilter } from '../registry/registry.js';
import { readCaution } from './caution.js';
import { loadContinued } from './continued-run.js';
import { type ControlAnswer, goOnWithRun, refusal } from './control-run.js';
import type { RunSignals } from './execute-run.js';
import { findRun } from './find-run.js';
import { migrateFiltered } from './migrate-run.js';
import { provisionTenants } from './provision-run.js';
import { readTenants } from './read-tenants.js';
import type { RunReport } from './report.js';
import { readFilter, readLabels, STANDING } from './retry-run.js';
import { readShardOf } from './shard-of-run.js';
import type { Workspace } from './workspace.js';

export interface ResumeOptions {
  readonly signals: RunSignals;
  /** Asked once the tenants are counted and before anything is touched; throws to refuse. */
  readonly confirm?: (selected: number) => Promise<void>;
}

/** `asked`: its process lives, and was asked to go on. `carried-on`: it had none, and was gone on with here. */
export type ResumedRun =
  | { readonly type: 'asked'; readonly answer: ControlAnswer }
  | { readonly type: 'carried-on'; readonly report: RunReport };

/**
 * Goes on with a run where it stopped: with the selection, the options and the target that it was begun with, and without what has
 * ended in it, well or not. That is what tells it from a retry, which takes up what failed in a run that is over.
 */
export async function resumeRun(workspace: Workspace, id: string, options: ResumeOptions): Promise<ResumedRun> {
  const registry = await workspace.registry();
  const run = await findRun(registry, id);
  if (run.status !== 'interrupted') return { type: 'asked', answer: await goOnWithRun(workspace, run.id) };
  return { type: 'carried-on', report: await carryOn(workspace, registry, run, options) };
}

function carryOn(workspace: Workspace, registry: Registry, run: Run, options: ResumeOptions): Promise<RunReport> {
  switch (run.command) {
    case 'migrate':
    case 'rollback':
      return carryOnMigrating(workspace, registry, run, run.command, options);
    case 'provision':
      return carryOnProvisioning(workspace, registry, run, options);
    default:
      throw refusal(run, 'resume', `it was a ${run.command}`, 'run that command again: it continues where it was');
  }
}

async function carryOnMigrating(
  workspace: Workspace,
  registry: Registry,
  run: Run,
  command: 'migrate' | 'rollback',
  { signals, confirm }: ResumeOptions,
): Promise<RunReport> {
  const asked = readAsked(run);
  const to = typeof run.options['to'] === 'string' ? run.options['to'] : null;
  const allowOutOfOrder = run.options['allowOutOfOrder'] === true;
  const forceVerify = run.options['forceVerify'] === true;
  const make = (target: string | null): Promise<RunMigrator> =>
    createRunMigrator(workspace.config, { direction: command === 'migrate' ? 'up' : 'down', to: target, allowOutOfOrder, forceVerify });
  let migrator = await make(to);
  // "The newest" is what was the newest when the run began: files may have come in since.
  const isOther = migrator.type === 'built-in' && run.target !== null && migrator.target !== run.target;
  if (isOther && command === 'migrate') migrator = await make(run.target);
  const continued = await loadContinued(registry, run, { keepsIds: false });
  return migrateFiltered(
    workspace,
    command,
    { registry, filter: readLeft(run), migrator, continued },
    { ...asked, ...readCaution(run), to, allowOutOfOrder, forceVerify, signals, ...(confirm ? { confirm } : {}) },
  );
}

async function carryOnProvisioning(workspace: Workspace, registry: Registry, run: Run, { signals }: ResumeOptions): Promise<RunReport> {
  const continued = await loadContinued(registry, run, { keepsIds: true });
  const ids: string[] = [];
  if (Array.isArray(run.options['ids'])) ids.push(...run.options['ids'].map(String));
  else if (run.counts === null)
    throw refusal(
      run,
      'resume',
      'it was killed, and its list of ids was too long to keep',
      'provision them again: what is done is left as it is',
    );
  else for await (const { id } of readTenants(registry, readLeft(run))) ids.push(id);
  return provisionTenants(workspace, ids, { ...readAsked(run), labels: readLabels(run), signals, continued });
}

/** The selection as it was made; where that was too long to keep, what the run itself says was left. */
function readLeft(run: Run): TenantFilter {
  const asked = run.options['filter'] as { readonly ids?: readonly string[] | null } | undefined;
  const isKept = asked !== undefined && asked.ids !== null;
  if (isKept || run.counts === null) return readFilter(run);
  return { statuses: STANDING, ofRun: { runId: run.id, outcomes: ['cancelled', 'not-started'] }, ...readShardOf(run) };
}

function readAsked({ options }: Run): {
  readonly concurrency: number | null;
  readonly maxFailures: FailureBudget | null;
  readonly limits: Partial<RunLimits>;
} {
  return {
    concurrency: typeof options['concurrency'] === 'number' ? options['concurrency'] : null,
    maxFailures: (options['maxFailures'] ?? null) as FailureBudget | null,
    limits: (options['limits'] ?? {}) as Partial<RunLimits>,
  };
}
