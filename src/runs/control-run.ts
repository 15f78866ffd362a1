import { TenancyError } from '../errors.js';
import type { Registry, Run, RunControl } from '../registry/registry.js';
import { sleep } from '../util/abort.js';
import { monotonicMs } from '../util/clock.js';
import { findRun } from './find-run.js';
import type { Workspace } from './workspace.js';

/** What came of asking a run for something. */
export interface ControlAnswer {
  /** As it is now. */
  readonly run: Run;
  /** False: it was so already. */
  readonly isChanged: boolean;
  /** Its process has said so. False: it had not within five seconds, and will when it comes to it. */
  readonly isHeard: boolean;
}

type Action = 'pause' | 'resume' | 'cancel';

/** Its process looks once a second. */
const HEARD_WITHIN_MS = 5_000;
const LOOK_MS = 50;
/** Each further one has lost to somebody else's request. */
const ATTEMPTS = 5;

/** The run starts no more tenants until it is resumed; what is in flight is finished. */
export function pauseRun(workspace: Workspace, id: string): Promise<ControlAnswer> {
  return ask(workspace, id, 'pause', { from: ['go-on'], to: 'pause', isHeard: ({ status }) => status === 'paused' });
}

/** For a run whose process lives. */
export function goOnWithRun(workspace: Workspace, id: string): Promise<ControlAnswer> {
  return ask(workspace, id, 'resume', { from: ['pause'], to: 'go-on', isHeard: ({ pausedAt }) => pausedAt === null });
}

/** Drains the run, as the first Ctrl-C in its own terminal would; with `isNow` aborts it, as the second. */
export async function cancelRun(workspace: Workspace, id: string, { isNow }: { readonly isNow: boolean }): Promise<ControlAnswer> {
  const from: RunControl[] = isNow ? ['go-on', 'pause', 'cancel'] : ['go-on', 'pause'];
  // That it drains is seen at its own terminal only; here nothing more would be seen before its end.
  const request: Request = { from, to: isNow ? 'abort' : 'cancel', isHeard: null };
  const registry = await workspace.registry();
  const run = await findRun(registry, id);
  if (run.options['executor'] === undefined) return ask(workspace, id, 'cancel', request);
  const { cancelDistributed } = await import('./distributed/cancel.js');
  return cancelDistributed(registry, run, () => ask(workspace, run.id, 'cancel', request));
}

interface Request {
  readonly from: readonly RunControl[];
  readonly to: RunControl;
  readonly isHeard: ((run: Run) => boolean) | null;
}

async function ask(workspace: Workspace, id: string, action: Action, { from, to, isHeard }: Request): Promise<ControlAnswer> {
  const registry = await workspace.registry();
  let run = await findRun(registry, id);
  let isChanged = false;
  for (let attempt = 1; !isChanged; attempt += 1) {
    refuseEnded(run, action);
    if (isAskedFor(run.control, to)) break;
    if (!from.includes(run.control) || attempt > ATTEMPTS) throw refusal(run, action, 'it is being cancelled', null);
    isChanged = await registry.controlRun(run.id, { from, to, by: workspace.host });
    run = await findRun(registry, run.id);
  }
  return isHeard === null ? { run, isChanged, isHeard: true } : { isChanged, ...(await awaitHeard(registry, run, isHeard)) };
}

/** An abort is a cancel too. */
function isAskedFor(control: RunControl, to: RunControl): boolean {
  return control === to || (to === 'cancel' && control === 'abort');
}

async function awaitHeard(
  registry: Registry,
  asked: Run,
  isHeard: (run: Run) => boolean,
): Promise<{ readonly run: Run; readonly isHeard: boolean }> {
  const deadlineMs = monotonicMs() + HEARD_WITHIN_MS;
  for (let run = asked; ; run = await findRun(registry, asked.id)) {
    // What has ended meanwhile has nothing more to hear.
    const isOver = run.status !== 'running' && run.status !== 'paused';
    if (isOver || isHeard(run)) return { run, isHeard: true };
    if (monotonicMs() > deadlineMs) return { run, isHeard: false };
    await sleep(LOOK_MS);
  }
}

function refuseEnded(run: Run, action: Action): void {
  switch (run.status) {
    case 'running':
    case 'paused':
      return;
    case 'interrupted':
      throw refusal(run, action, 'nothing of it goes on: it was interrupted', `\`tenancy run resume ${run.id}\` goes on with it`);
    case 'cancelled':
      throw refusal(run, action, 'it was cancelled', `\`tenancy run retry ${run.id}\` takes up what was left`);
    case 'finished':
      throw refusal(run, action, 'it has finished', hasLeft(run) ? `\`tenancy run retry ${run.id}\` takes up what was left` : null);
  }
}

function hasLeft({ counts, notStarted }: Run): boolean {
  return (notStarted ?? 0) > 0 || (counts !== null && counts.failed + counts.unverified + counts.unknown + counts.cancelled > 0);
}

const DONE: Readonly<Record<Action, string>> = { pause: 'paused', resume: 'resumed', cancel: 'cancelled' };

export function refusal(run: Run, action: Action, reason: string, next: string | null): TenancyError {
  return new TenancyError('TENANCY_RUN_NOT_CONTROLLED', { run: run.id, done: DONE[action], reason, next });
}
