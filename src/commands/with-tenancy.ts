import { loadConfig } from '../config/load.js';
import type { RawOptions, runOptionSpecs } from '../config/merge-options.js';
import { resolveConfig } from '../config/resolve.js';
import type { ResolvedConfig } from '../config/types.js';
import type { ExitCode } from '../errors/define.js';
import type { StampedRunEvent } from '../events.js';
import { createReporter } from '../reporters/reporter.js';
import { createRunSoFar } from '../reporters/run-so-far.js';
import type { RunReport } from '../runs/report.js';
import { openTenancy, type Tenancy } from '../tenancy.js';
import type { CommandContext } from './context.js';
import { withJunit } from './with-junit.js';

/** Tenants to work on, from where on what they leave behind is seen in the memory. */
const MANY = 100;

export type RunFlags = RawOptions<typeof runOptionSpecs>;

/** Loads the config for a command. */
export async function loadProject(context: CommandContext, command: string, flags: RunFlags = {}): Promise<ResolvedConfig> {
  const { cwd, env, globals } = context;
  return resolveConfig(await loadConfig({ cwd, env, command, configPath: globals.config }), { overrides: flags, env });
}

/** For commands that read or change the registry and print a document. None of the user's hooks is run. */
export async function withTenancy<T>(context: CommandContext, command: string, use: (tenancy: Tenancy) => Promise<T>): Promise<T> {
  const result = await withHooks(context, command, use);
  context.endAtOnce();
  return result;
}

/** The same for what runs hooks, which may have begun something that is to come to its end. */
export async function withHooks<T>(context: CommandContext, command: string, use: (tenancy: Tenancy) => Promise<T>): Promise<T> {
  const config = await loadProject(context, command);
  const tenancy = openTenancy(config, {
    onNotice: (text) => notice(context, text),
    acceptCluster: context.globals.acceptCluster,
    env: context.env,
    command,
  });
  context.closeAtExit(() => tenancy.close());
  return use(tenancy);
}

/** For commands that run over tenants: what happens is reported as it happens. */
export async function withRun(
  context: CommandContext,
  command: string,
  flags: RunFlags,
  use: (tenancy: Tenancy) => Promise<Pick<RunReport, 'exitCode'>>,
): Promise<ExitCode> {
  return withJunit(context, command, (report) => runReported(context, command, flags, use, report));
}

async function runReported(
  context: CommandContext,
  command: string,
  flags: RunFlags,
  use: (tenancy: Tenancy) => Promise<Pick<RunReport, 'exitCode'>>,
  besides: (event: StampedRunEvent) => void,
): Promise<ExitCode> {
  const config = await loadProject(context, command, flags);
  const { globals } = context;
  const reporter = await createReporter({ ...context, ...globals });
  const soFar = createRunSoFar();
  const tenancy = openTenancy(config, {
    onEvent: (event) => {
      if (event.type === 'run.started' || event.type === 'run.finished') context.noteRun(event.type);
      if (event.type === 'run.started' && event.selected - event.upToDate >= MANY)
        void import('../util/small-heap.js').then(({ keepHeapSmall }) => keepHeapSmall()).catch(() => undefined);
      soFar.note(event);
      reporter.report(event);
      besides(event);
    },
    onNotice: (text) => notice(context, text),
    acceptCluster: globals.acceptCluster,
    env: context.env,
    command,
  });
  context.closeAtExit(() => tenancy.close());
  try {
    return (await use(tenancy)).exitCode;
  } catch (error) {
    context.noteBroken(soFar.read());
    throw error;
  } finally {
    await reporter.finish();
  }
}

function notice({ globals, stderr }: CommandContext, text: string): void {
  if (!globals.isQuiet) stderr.write(`${text}\n`);
}
