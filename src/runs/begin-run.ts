import { TenancyError } from '../errors.js';
import type { RunContext } from '../lifecycle/run-context.js';
import type { Shard } from '../util/shard.js';
import type { ContinuedRun } from './continued-run.js';
import type { RunPlan } from './lanes.js';

/** What of a run is told besides its plan. */
export interface RunScope {
  /** How many tenants each wave will have. */
  readonly waves?: readonly number[];
  readonly failedIn?: readonly string[] | undefined;
  readonly shard?: Shard | undefined;
}

/** Tells that a run begins, or is gone on with, and over what. */
export function announceRun(
  run: RunContext,
  { selected, upToDate, concurrency, clusters }: RunPlan,
  target: string | null,
  continued: ContinuedRun | null = null,
  { waves = [], failedIn, shard }: RunScope = {},
): void {
  const { command, dryRun } = run;
  const before = continued === null ? {} : { doneBefore: continued.done };
  const sizes = waves.length === 0 ? {} : { waves };
  const narrowed = { ...(failedIn === undefined ? {} : { failedIn }), ...(shard === undefined ? {} : { shard }) };
  run.emit({ type: 'run.started', command, selected, upToDate, ...before, target, concurrency, clusters, dryRun, ...sizes, ...narrowed });
}

/**
 * Keeps the run in the registry, unless there is nothing to do in it.
 * @param asked the selection and options, redacted; enough for `run retry` and `run resume`
 */
export async function recordRun(
  run: RunContext,
  { selected, lanes }: RunPlan,
  target: string | null,
  asked: Readonly<Record<string, unknown>>,
  continued: ContinuedRun | null = null,
): Promise<void> {
  if (continued !== null) return takeOver(run);
  if (lanes.length === 0) return;
  const { runId: id, command, host, leases, registry } = run;
  await registry.createRun({ id, command, owner: leases.owner, host, target, options: asked, selected });
}

async function takeOver({ registry, runId, leases, host }: RunContext): Promise<void> {
  if (await registry.takeOverRun(runId, { owner: leases.owner, host })) return;
  const reason = 'another process has gone on with it in this moment';
  throw new TenancyError('TENANCY_RUN_NOT_CONTROLLED', { run: runId, done: 'resumed', reason, next: null });
}
