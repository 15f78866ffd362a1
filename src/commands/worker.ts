import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import type { StampedRunEvent } from '../events.js';
import { describeEvent } from '../reporters/describe.js';
import { toJsonLine } from '../reporters/json-line.js';
import { sanitizeLine } from '../reporters/sanitize.js';
import { openTenancy } from '../tenancy.js';
import type { CommandContext } from './context.js';
import { loadProject, withRun } from './with-tenancy.js';

export interface WorkerFlags {
  readonly concurrency?: string;
  readonly cluster?: readonly string[];
  readonly untilIdle?: boolean;
}

/** Told of what goes on: the events as they come, or a line for each tenant that had something to do. */
export async function runWorker(context: CommandContext, flags: WorkerFlags): Promise<ExitCode> {
  const { globals, stdout, stderr } = context;
  const concurrency = parseConcurrency(flags.concurrency);
  const config = await loadProject(context, 'worker');
  const tenancy = openTenancy(config, {
    onEvent: (event) => {
      if (globals.output === 'json') stdout.write(`${toJsonLine(event)}\n`);
      else if (isWorthALine(event, globals)) stderr.write(`${event.run} ${sanitizeLine(describeEvent(event, 'migrate'))}\n`);
    },
    onNotice: (text) => {
      if (!globals.isQuiet) stderr.write(`${text}\n`);
    },
    acceptCluster: globals.acceptCluster,
    env: context.env,
    command: 'worker',
  });
  context.closeAtExit(() => tenancy.close());
  const signals = context.takeSignals();
  // From now on a Ctrl-C drains.
  context.noteRun('run.started');
  const { serveRuns } = await import('../runs/distributed/serve.js');
  await serveRuns(tenancy.workspace, { concurrency, clusters: flags.cluster ?? [], untilIdle: flags.untilIdle ?? false, signals });
  context.noteRun('run.finished');
  return EXIT.ok;
}

export async function runRunFollow(context: CommandContext, id: string): Promise<ExitCode> {
  return withRun(context, 'run follow', {}, async (tenancy) => {
    const { joinRun } = await import('../runs/distributed/join.js');
    return joinRun(tenancy.workspace, id, context.takeSignals());
  });
}

function isWorthALine(event: StampedRunEvent, { isQuiet, isVerbose }: CommandContext['globals']): boolean {
  if (event.type === 'tenant.finished') return event.outcome !== 'up-to-date' && (!isQuiet || event.outcome !== 'applied');
  if (event.type === 'tenant.started') return isVerbose;
  return !isQuiet && /^(run\.|cluster\.|tenant\.retried)/.test(event.type);
}

function parseConcurrency(raw: string | undefined): number | null {
  if (raw === undefined) return null;
  if (/^\d{1,6}$/.test(raw) && Number(raw) > 0) return Number(raw);
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--concurrency', value: raw, expected: 'a whole number of at least 1' });
}
