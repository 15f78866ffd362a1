import type { CommandContext, GlobalOptions } from '../commands/context.js';
import type { OutputMode } from '../reporters/reporter.js';

/** The global flags as commander gives them. */
export interface GlobalFlags {
  readonly config?: string;
  readonly envFile?: readonly string[];
  readonly output?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: boolean;
  readonly yes?: boolean;
  readonly input?: boolean;
  readonly acceptCluster?: readonly string[];
  readonly junit?: string;
}

type Environment = CommandContext['env'];

/** What is at the other ends: stderr for what is told, stdin for what is asked. */
export interface Terminal {
  readonly isForOutput: boolean;
  isForInput(): Promise<boolean>;
}

/** Flag > variable > what the terminal says. */
export async function readGlobals(flags: GlobalFlags, env: Environment, terminal: Terminal): Promise<GlobalOptions> {
  const isOn = (flag: boolean | undefined, name: string): boolean => flag ?? isTruthy(env[name]);
  const isInputOff = flags.input === false || isTruthy(env['TENANCY_NO_INPUT']);
  return {
    config: flags.config ?? nonEmpty(env['TENANCY_CONFIG']),
    output: await readOutput(flags, env, terminal),
    isQuiet: isOn(flags.quiet, 'TENANCY_QUIET'),
    isVerbose: isOn(flags.verbose, 'TENANCY_VERBOSE'),
    isColorful: isColorful(flags, env, terminal),
    isYes: isOn(flags.yes, 'TENANCY_YES'),
    canAsk: !isInputOff && terminal.isForOutput && (await terminal.isForInput()),
    acceptCluster: flags.acceptCluster ?? nonEmpty(env['TENANCY_ACCEPT_CLUSTER'])?.split(',') ?? [],
    junit: await readJunit(flags, env),
  };
}

/** Whether even a failure to read the options is to be told in JSON. */
export function isJsonWanted(flags: GlobalFlags, env: Environment): boolean {
  return flags.json === true || flags.output === 'json' || env['TENANCY_OUTPUT'] === 'json' || isTruthy(env['TENANCY_JSON']);
}

export function isColorful(flags: GlobalFlags, env: Environment, { isForOutput }: Terminal): boolean {
  if (flags.color === false || isTruthy(env['TENANCY_NO_COLOR'])) return false;
  if (nonEmpty(env['FORCE_COLOR']) !== undefined) return env['FORCE_COLOR'] !== '0' && env['FORCE_COLOR'] !== 'false';
  if (nonEmpty(env['NO_COLOR']) !== undefined) return false;
  return isForOutput && env['TERM'] !== 'dumb';
}

async function readJunit({ junit }: GlobalFlags, env: Environment): Promise<string | undefined> {
  if (junit !== '') return junit ?? nonEmpty(env['TENANCY_JUNIT']);
  // An unset variable of the caller's: a report that nobody writes would look like one without failures.
  const { TenancyError } = await import('../errors.js');
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--junit', value: junit, expected: 'a file' });
}

async function readOutput(flags: GlobalFlags, env: Environment, { isForOutput }: Terminal): Promise<OutputMode> {
  if (flags.json) return 'json';
  const asked = flags.output ?? nonEmpty(env['TENANCY_OUTPUT']) ?? (isTruthy(env['TENANCY_JSON']) ? 'json' : undefined);
  if (asked === undefined) return isForOutput && env['TERM'] !== 'dumb' ? 'tty' : 'plain';
  if (asked === 'tty' || asked === 'plain' || asked === 'json') return asked;
  const { TenancyError } = await import('../errors.js');
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: 'TENANCY_OUTPUT', value: asked, expected: 'tty, plain or json' });
}

function isTruthy(value: string | undefined): boolean {
  return /^(1|true|yes|on)$/i.test(value ?? '');
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
