import { Console } from 'node:console';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { CommanderError } from 'commander';
import type { CommandContext, GlobalOptions } from './commands/context.js';
import { EXIT, type ExitCode } from './errors/define.js';
import { type GlobalFlags, isColorful, isJsonWanted, readGlobals, type Terminal } from './program/global-options.js';
import type { Invocation } from './program/options.js';
import { createProgram } from './program.js';
import type { OutputMode } from './reporters/reporter.js';
import type { RunSoFar } from './reporters/run-so-far.js';

/** How long what is open may take to close when the process ends over an error. */
const CLOSE_MS = 2_000;

/** Ends the process. Once a command has begun, `process.exit` itself is refused to the user's code. */
let endProcess: NodeJS.Process['exit'] = (code) => process.exit(code);

/** Runs the command line: argv and streams in, exit code out. The only place that knows the process. */
export async function main(argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  let restMs = CLOSE_MS;
  process.exitCode = await run(argv, () => {
    restMs = 0;
  });
  process.removeAllListeners('beforeExit');
  endIn(restMs);
}

/** A timer or a connection of the user's own that was left open must not keep the command from ending; unread output may. */
function endIn(ms: number): void {
  const isToldAll = (): boolean => process.stdout.writableLength === 0 && process.stderr.writableLength === 0;
  // To take a process apart in good order costs it 4 ms.
  if (ms === 0 && isToldAll()) endProcess();
  setTimeout(() => (isToldAll() ? endProcess() : endIn(CLOSE_MS)), CLOSE_MS).unref();
}

async function run(argv: readonly string[], endAtOnce: () => void): Promise<ExitCode> {
  let endsByItself = false;
  mindReaders(() => endsByItself);
  let invocation: Invocation | undefined;
  const program = createProgram(readVersion(), argv, (chosen) => {
    invocation = chosen;
  });
  let flags: GlobalFlags = {};
  try {
    await program.parseAsync([...argv], { from: 'user' });
    flags = program.opts<GlobalFlags>();
  } catch (error) {
    if (error instanceof CommanderError) return await endOfParsing(error, argv);
    throw error;
  }
  if (!invocation) return EXIT.usage;

  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0)) await closer();
  };
  // What `--help` doesn't need is made and loaded from here on.
  process.stderr.on('error', () => undefined);
  // What a config or a hook logs is no result: on stdout it would be a line of its own among those of `--json`.
  globalThis.console = new Console(process.stderr, process.stderr);
  const { refuseExits, createInterrupts, TenancyError } = await import('./command-process.js');
  endProcess = refuseExits(process);
  const terminal = findTerminal();
  const output = isJsonWanted(flags, process.env) ? 'json' : 'plain';
  let isEndTold = false;
  let soFar: RunSoFar | null = null;
  const exit = async (code: ExitCode): Promise<void> => {
    const isToTell = output === 'json' && !isEndTold;
    isEndTold = true;
    if (isToTell) await tellInterrupt(code);
    endProcess(code);
  };
  let failing: Promise<void> | undefined;
  /** Ends the process over an error that nothing caught, or a promise that nothing settles: neither can come from the command's own course. */
  const endOver = async (error: Error & { readonly exitCode: ExitCode }): Promise<void> => {
    endsByItself = true;
    await Promise.race([close(), new Promise((resolve) => setTimeout(resolve, CLOSE_MS))]).catch(() => undefined);
    await tellFatal(error, output === 'json' && isEndTold ? 'plain' : output, isColorful(flags, process.env, terminal));
    endProcess(error.exitCode);
  };
  process.on('uncaughtException', (error) => {
    failing ??= endOver(new TenancyError('TENANCY_ERROR_ESCAPED', { reason: locate(error) }, { cause: error }));
  });
  process.on('beforeExit', () => {
    failing ??= endOver(new TenancyError('TENANCY_PROMISE_PENDING', {}));
  });
  const interrupts = createInterrupts({ on: (signal, listener) => process.on(signal, listener), exit: (code) => void exit(code), close });
  try {
    const env = await readEnvironment(flags);
    return await invocation({
      ...createContext(await findCwd(), await readGlobals(flags, env, terminal), env),
      takeSignals: () => {
        endsByItself = true;
        return interrupts.signals;
      },
      noteRun: (event) => {
        if (event === 'run.started') interrupts.mind();
        else isEndTold = true;
      },
      noteBroken: (run) => {
        soFar = run;
      },
      closeAtExit: (closer) => closers.push(closer),
      endAtOnce,
    });
  } catch (error) {
    // What was closed under the command's feet is no failure of its own: it would be told in place of what did fail.
    if (failing !== undefined) return await failing.then(() => EXIT.bug);
    isEndTold = true;
    endsByItself = true;
    return await tellFatal(error, output, isColorful(flags, process.env, terminal), soFar);
  } finally {
    await close();
  }
}

function createContext(
  cwd: string,
  globals: GlobalOptions,
  env: CommandContext['env'],
): Omit<CommandContext, 'takeSignals' | 'noteRun' | 'noteBroken' | 'closeAtExit' | 'endAtOnce'> {
  return {
    stdin: () => process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    cwd,
    env,
    nodeVersion: process.version,
    globals,
    columns: () => process.stderr.columns ?? 80,
    rows: () => process.stderr.rows ?? 24,
  };
}

function findTerminal(): Terminal {
  return { isForOutput: Boolean(process.stderr.isTTY), isForInput: async () => (await import('node:tty')).isatty(0) };
}

async function findCwd(): Promise<string> {
  try {
    return process.cwd();
  } catch (cause) {
    const { TenancyError } = await import('./errors.js');
    throw new TenancyError('TENANCY_FOLDER_GONE', {}, { cause });
  }
}

/** What an error says, and the first place in its stack. */
function locate(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split('\n').find((line) => line.trimStart().startsWith('at '));
  return place === undefined ? error.message : `${error.message} (${place.trim()})`;
}

/** The environment with the env files; also set for the config's own code and for child processes. */
async function readEnvironment(flags: GlobalFlags): Promise<CommandContext['env']> {
  const files = flags.envFile ?? (process.env['TENANCY_ENV_FILE'] ? [process.env['TENANCY_ENV_FILE']] : []);
  if (files.length === 0) return process.env;
  const { loadEnvFiles } = await import('./config/env-file.js');
  const env = await loadEnvFiles(await findCwd(), files, process.env);
  for (const [name, value] of Object.entries(env)) if (process.env[name] === undefined && value !== undefined) process.env[name] = value;
  return env;
}

/** Help and versions were asked for; anything else that commander ends with is a wrong command line. */
async function endOfParsing(error: CommanderError, argv: readonly string[]): Promise<ExitCode> {
  if (error.exitCode === 0) return EXIT.ok;
  const isDeprovision = argv.includes('deprovision');
  if (argv.includes('--json') || process.env['TENANCY_OUTPUT'] === 'json') {
    const { TenancyError } = await import('./errors.js');
    await tellFatal(new TenancyError('TENANCY_COMMAND_LINE_REJECTED', { reason: error.message.replace(/^error: /, '') }), 'json', false);
  }
  return isDeprovision && error.code === 'commander.excessArguments' ? EXIT.refused : EXIT.usage;
}

async function tellFatal(error: unknown, output: OutputMode, isColorful: boolean, soFar: RunSoFar | null = null): Promise<ExitCode> {
  const { reportFatal } = await import('./reporters/fatal.js');
  return reportFatal(error, { output, stdout: process.stdout, stderr: process.stderr, isColorful, version: readVersion(), soFar });
}

/** Also a command that is ended in the middle has a last word for machines. */
async function tellInterrupt(code: ExitCode): Promise<void> {
  const { TenancyError } = await import('./errors.js');
  await tellFatal(
    new TenancyError(code === EXIT.terminated ? 'TENANCY_COMMAND_TERMINATED' : 'TENANCY_COMMAND_INTERRUPTED', {}),
    'json',
    false,
  );
}

/**
 * `tenancy tenant list | head` ends when head has read enough, and is no failure. A run goes on to its end and its exit code,
 * whether anybody listens or not: ended in the middle it would leave tenants half way, and call it done.
 */
function mindReaders(endsByItself: () => boolean): void {
  let isTold = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      if (!endsByItself()) endProcess(EXIT.ok);
      return;
    }
    if (!isTold) process.stderr.write(`✖ stdout can't be written: ${error.message}\n`);
    isTold = true;
    if (!endsByItself()) endProcess(EXIT.unreachable);
  });
}

function readVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
