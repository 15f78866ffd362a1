import { isTenancyError } from '../errors.js';
import type { RunCommand, RunEvent } from '../events.js';
import type { OutcomeError, TenantOutcome } from '../outcome.js';
import { TENANT_OUTCOMES } from '../outcome.js';
import type { RunStop } from '../run-stop.js';
import { redact } from '../util/redact.js';
import { unreachable } from '../util/unreachable.js';
import { formatBytes, formatCount, formatDuration, formatNumber } from './format.js';
import { describeCommand, describeOutcomeType, describeStep } from './words.js';

const REMOVING: ReadonlySet<RunCommand> = new Set(['deprovision', 'purge']);

/** One tenant's outcome, without its name: `0003_projects → 0012_index in 1.2 s`. The message of an error may have several lines. */
export function describeOutcome(outcome: TenantOutcome, command: RunCommand): string {
  const { from, to, ms, error, attempts } = outcome;
  const tries = attempts > 1 ? `, at attempt ${attempts}` : '';
  switch (outcome.outcome) {
    case 'applied':
      return `${describeCommand(command).done}${REMOVING.has(command) ? '' : describeVersions(from, to)} in ${formatDuration(ms)}${tries}`;
    case 'up-to-date':
      return `${describeCommand(command).nothing}${to === null ? '' : ` at ${to}`}`;
    case 'failed':
      return `failed${describeReason(error, tries)}`;
    case 'unverified':
      if (command === 'verify') return `with findings${describeReason(error, '')}`;
      return `unverified: it ended well, but the tenant did not reach the target${describeReason(error, tries)}`;
    case 'unknown':
      return `unknown: a step was interrupted, and whether it took effect can't be told${describeReason(error, tries)}`;
    case 'skipped':
      return `skipped${describeReason(error, '')}`;
    case 'cancelled':
      return `cancelled after ${formatDuration(ms)}${describeReason(error, '')}`;
    case 'not-started':
      return 'not started';
    default:
      return unreachable(outcome.outcome);
  }
}

/** Many messages about a tenant begin with its id as it is: `acme: …`, `acme has …`. */
function nameTenant(tenant: string | undefined, message: string): string {
  const isNamed = tenant === undefined || (message.startsWith(tenant) && /^(: | has | is )/.test(message.slice(tenant.length)));
  return isNamed ? message : `${tenant}: ${message}`;
}

function describeReason(error: OutcomeError | undefined, tries: string): string {
  if (error === undefined) return tries;
  return `${error.hook === null ? '' : ` in ${error.hook}`}${tries}: ${error.message}`;
}

function describeVersions(from: string | null, to: string | null): string {
  if (from === to) return to === null ? '' : ` at ${to}`;
  if (from === null) return ` to ${to}`;
  if (to === null) return `, ${from} → nothing`;
  return `, ${from} → ${to}`;
}

/** Every event in a sentence; whoever adds one to the union words it here. May have several lines where a message has. */
export function describeEvent(event: RunEvent, command: RunCommand): string {
  switch (event.type) {
    case 'run.started':
      return describeStart(event);
    case 'run.warned':
      return nameTenant(event.tenant, event.message);
    case 'tenant.started':
      return `${event.tenant}: started on ${event.cluster}`;
    case 'tenant.planned':
      return `${event.tenant}: ${describeCommand(command).verb}${describeVersions(event.from, event.to)}, ${formatCount(event.migrations.length, 'migration')}`;
    case 'run.planned':
      return describePlan(event);
    case 'step.started':
      return `${event.tenant}: ${describeStep(event.step)} …`;
    case 'step.finished':
      return `${event.tenant}: ${describeStep(event.step)} ${describeStepEnd(event)}`;
    case 'migration.finished':
      return `${event.tenant}: ${event.direction === 'up' ? 'applied' : 'reverted'} ${event.migration} in ${formatDuration(event.ms)}`;
    case 'tenant.located':
      return `${event.tenant}: ${event.driver === 'postgres-schema' ? 'schema' : 'database'} ${event.name} on ${event.cluster}, ${event.url}`;
    case 'backup.finished':
      return `${event.tenant}: backup ${event.backup}, ${formatBytes(event.bytes)}, ${event.path}`;
    case 'tenant.retried':
      return `${event.tenant}: attempt ${event.attempt} in ${formatDuration(event.delayMs)}, after: ${event.error.message}`;
    case 'tenant.finding':
      return describeFinding(event);
    case 'tenant.finished':
      return `${event.tenant}: ${describeOutcome(event, command)}`;
    case 'run.paused':
      return `paused by \`tenancy run pause\`: ${event.inFlight === 0 ? '' : `finishing ${formatCount(event.inFlight, 'tenant')} in flight, `}starting no more until \`tenancy run resume\` (${formatNumber(event.notStarted)} left)`;
    case 'run.resumed':
      return `going on after a pause of ${formatDuration(event.ms)} (${formatNumber(event.notStarted)} left)`;
    case 'cluster.held':
      return `${event.cluster} is held: ${event.reason}; starting no more tenants there until that is over`;
    case 'cluster.released':
      return `${event.cluster} goes on after ${formatDuration(event.ms)}`;
    case 'run.draining':
      return describeDraining(event);
    case 'wave.started':
      return `${nameWave(event)}: ${formatCount(event.tenants, 'tenant')}`;
    case 'wave.finished':
      return describeWaveEnd(event, command);
    case 'run.finished':
      return event.error === undefined ? `finished in ${formatDuration(event.ms)}` : event.error.message;
    default:
      return unreachable(event);
  }
}

/** A finding in a sentence, with what became of it. */
export function describeFinding({ message, status, detail }: Extract<RunEvent, { type: 'tenant.finding' }>): string {
  const more = detail === undefined ? '' : `: ${detail}`;
  switch (status) {
    case 'found':
      return message;
    case 'would-fix':
      return `${message} (--fix mends it)`;
    case 'fixed':
      return `${message} (mended${more})`;
    case 'unfixed':
      return `${message} (to mend it failed${more})`;
    default:
      return unreachable(status);
  }
}

function describeStart(event: Extract<RunEvent, { type: 'run.started' }>): string {
  const { command, selected, upToDate, doneBefore, target, concurrency, clusters, dryRun } = event;
  const names = Object.keys(clusters);
  const where = names.length === 1 ? ` on ${names[0]}` : names.length > 1 ? ` on ${names.length} clusters` : '';
  const idle = upToDate - (doneBefore ?? 0);
  const before = doneBefore === undefined ? '' : `, ${formatNumber(doneBefore)} done before`;
  const nothing = `${before}${idle === 0 ? '' : `, ${formatNumber(idle)} ${describeCommand(command).nothing}`}`;
  const atOnce = selected - upToDate > 1 && !dryRun ? `, ${concurrency} at once` : '';
  const waves = describeWaves(event.waves ?? []);
  return `${dryRun ? 'dry run: ' : doneBefore === undefined ? '' : 'go on: '}${describeCommand(command).verb} ${formatCount(selected, 'tenant')}${where}${target === null ? '' : ` to ${target}`}${nothing}${atOnce}${waves}`;
}

function describePlan({ groups, estimate, saved }: Extract<RunEvent, { type: 'run.planned' }>): string {
  const tenants = groups.reduce((total, group) => total + group.tenants, 0);
  const time = estimate === null ? '' : `, in about ${formatDuration(estimate.ms)}`;
  return `planned ${formatCount(tenants, 'tenant')} in ${formatCount(groups.length, 'group')}${time}${saved === null ? '' : `; saved as ${saved}`}`;
}

function describeStepEnd(event: Extract<RunEvent, { type: 'step.finished' }>): string {
  const detail = event.detail === undefined ? '' : ` (${event.detail})`;
  switch (event.status) {
    case 'done':
      return `done in ${formatDuration(event.ms)}${detail}`;
    case 'done-before':
      return `already done${detail}`;
    case 'failed':
      return `failed after ${formatDuration(event.ms)}${detail}`;
    default:
      return unreachable(event.status);
  }
}

/** `, in waves of 1, 19 and 180`; how many there are of what is too long to list. */
function describeWaves(sizes: readonly number[]): string {
  if (sizes.length < 2) return '';
  const last = sizes.at(-1) ?? 0;
  const listed = `${sizes.slice(0, -1).map(formatNumber).join(', ')} and ${formatNumber(last)}`;
  return sizes.length > 8 ? `, in ${sizes.length} waves` : `, in waves of ${listed}`;
}

export function nameWave({ wave, waves }: { readonly wave: number; readonly waves: number }): string {
  return `wave ${wave} of ${waves}`;
}

function describeWaveEnd(event: Extract<RunEvent, { type: 'wave.finished' }>, command: RunCommand): string {
  const outcomes = TENANT_OUTCOMES.filter((type) => event.counts[type] > 0).map(
    (type) => `${formatNumber(event.counts[type])} ${describeOutcomeType(type, command)}`,
  );
  const soak = event.soakMs === 0 ? '' : `; ${formatDuration(event.soakMs)} until the next`;
  return `${nameWave(event)}: ${outcomes.join(', ') || 'nothing to do'} in ${formatDuration(event.ms)}${soak}`;
}

/** What kept tenants from being started, after their number: `stopped by wave 1 of 3: 1 of 1 failed`. */
export function describeStop({ reason, wave, waves, detail }: RunStop): string {
  const where = wave === null || waves === null ? '' : nameWave({ wave, waves });
  const why = detail === null ? '' : `: ${sanitizeDetail(detail)}`;
  switch (reason) {
    case 'wave-failed':
      return `stopped by ${where}${why}`;
    case 'gate':
      return `stopped by the gate after ${where}${why}`;
    case 'max-failures':
      return `stopped by --max-failures${where === '' ? '' : ` in ${where}`}`;
    case 'cancelled':
      return `cancelled${where === '' ? '' : ` in ${where}`}`;
    case 'interrupted':
    case 'terminated':
      return `interrupted${where === '' ? '' : ` in ${where}`}`;
    case 'resources':
      return `stopped by a server that is out of disk, memory or locks${where === '' ? '' : `, in ${where}`}`;
    case 'lease-lost':
      return 'stopped: another process took over its tenants';
    default:
      return unreachable(reason);
  }
}

function sanitizeDetail(detail: string): string {
  return detail.split('\n')[0] ?? '';
}

export function describeDraining(event: Extract<RunEvent, { type: 'run.draining' }>): string {
  const { inFlight, notStarted } = event;
  const finishing =
    inFlight === 0 ? 'starting no more tenants' : `finishing ${formatCount(inFlight, 'tenant')} in flight, starting no more`;
  const detail = event.detail === undefined ? '' : sanitizeDetail(event.detail);
  const left = notStarted === null || notStarted === 0 ? '' : ` (${formatNumber(notStarted)} left)`;
  switch (event.reason) {
    case 'interrupted':
      return `Ctrl-C: ${finishing}${left}${inFlight === 0 ? '' : '; Ctrl-C again aborts them'}`;
    case 'terminated':
      return `asked to end (SIGTERM): ${finishing}${left}${inFlight === 0 ? '' : '; asked again, they are aborted'}`;
    case 'max-failures':
      return `--max-failures reached: ${finishing}${left}`;
    case 'wave-failed':
      return `wave ${event.wave}: ${detail}, ${finishing}${left}`;
    case 'gate':
      return `the gate after wave ${event.wave} says no (${detail}): ${finishing}${left}`;
    case 'resources':
      return `a server is out of disk, memory or locks: ${finishing}${left}`;
    case 'cancelled':
      return `cancelled by \`tenancy run cancel\`: ${finishing}${left}${inFlight === 0 ? '' : '; with --now they are aborted'}`;
    case 'lease-lost':
      return `another process took over this run's tenants: ${finishing}${left}`;
    default:
      return unreachable(event.reason);
  }
}

export interface DescribedError {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

/** What to show for anything thrown. What isn't a `TenancyError` is a bug of ours. */
export function describeError(error: unknown): DescribedError {
  if (isTenancyError(error)) return { code: error.code, message: error.message, hint: error.hint };
  return {
    code: 'TENANCY_BUG',
    message: redact(error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
    hint: undefined,
  };
}
