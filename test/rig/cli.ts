import path from 'node:path';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import stripAnsi from 'strip-ansi';
import { ECHO_MS } from '../../src/interrupts.js';
import { askRig } from './ask.js';
import { canaryPassword } from './private-server.js';

export const repositoryRoot: string = path.resolve(fileURLToPath(new URL('../..', import.meta.url)));

/** The program under test: the one built here, or with TENANCY_TEST_BIN the one of a packed and installed package. */
const bin = process.env.TENANCY_TEST_BIN ?? path.join(repositoryRoot, 'bin/tenancy.js');

export interface CliOptions {
  readonly cwd: string;
  /** Added to an environment that has PATH, HOME, TMPDIR and nothing of the tester's own settings. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to stdin, which is empty and no terminal without it. */
  readonly input?: string;
  /** Killed after that. @default 60000 */
  readonly timeoutMs?: number;
  /** Runs the program on another Node.js. @default this one */
  readonly node?: string;
}

export interface CliResult {
  /** 128 + n where signal n ended it, as a shell says. */
  readonly exitCode: number;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

export interface StartedCli {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  kill(signal: NodeJS.Signals): void;
  /** Once more, when it can't be taken for the echo of the first. */
  killAgain(signal: NodeJS.Signals): Promise<void>;
  /** Never rejects for what the program does, except where it hangs or prints a password. */
  readonly result: Promise<CliResult>;
}

/** Waits until the command line is built from the present sources, unless TENANCY_TEST_BIN names another. */
export async function ensureBuilt(): Promise<void> {
  if (process.env.TENANCY_TEST_BIN === undefined) await askRig('build');
}

/** Runs the built command line to its end. */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return (await startCli(args, options)).result;
}

/** Starts the built command line, for tests that signal it or watch it meanwhile. */
export async function startCli(args: readonly string[], options: CliOptions): Promise<StartedCli> {
  await ensureBuilt();
  const child = execa(options.node ?? process.execPath, [bin, ...args], {
    cwd: options.cwd,
    env: { ...cleanEnvironment(), ...options.env },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
    input: options.input ?? '',
  });
  const pid = child.pid;
  if (pid === undefined) throw (await child).cause;
  const result = child.then((ended): CliResult => {
    const stdout = String(ended.stdout ?? '');
    const stderr = String(ended.stderr ?? '');
    if (ended.timedOut) throw new Error(`tenancy ${args.join(' ')} did not end in time\n${stdout}${stderr}`);
    if (`${stdout}${stderr}`.includes(canaryPassword)) throw new Error(`tenancy ${args.join(' ')} printed a password\n${stdout}${stderr}`);
    const exitCode = ended.exitCode ?? 128 + (signalNumbers[ended.signal ?? ''] ?? 0);
    return { exitCode, signal: ended.signal, stdout, stderr, durationMs: ended.durationMs };
  });
  const kill = (signal: NodeJS.Signals): void => void child.kill(signal);
  const killAgain = async (signal: NodeJS.Signals): Promise<void> => {
    await setTimeout(ECHO_MS);
    kill(signal);
  };
  return { pid, stdout: child.stdout, stderr: child.stderr, kill, killAgain, result };
}

const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** What a fresh login has: no setting of ours, of PostgreSQL's or of Node's, no colours, not a CI. */
export function cleanEnvironment(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'TMPDIR', 'USER', 'LOGNAME', 'RIG_RUN', 'SystemRoot', 'NODE_V8_COVERAGE'];
  return Object.fromEntries(kept.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}

/** Takes what differs from run to run out of an output, for snapshots. `replacements`: further texts, by what is put for them. */
export function normaliseOutput(text: string, replacements: Readonly<Record<string, string>> = {}): string {
  const known = Object.entries(replacements).sort(([a], [b]) => b.length - a.length);
  return known
    .reduce((done, [from, to]) => done.replaceAll(from, to), stripAnsi(text))
    .replaceAll(repositoryRoot, '<repository>')
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<id>')
    .replaceAll(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, '<id>')
    .replaceAll(/\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?/g, '<when>')
    .replaceAll(/\b(127\.0\.0\.1|localhost):\d+/g, '$1:<port>')
    .replaceAll(/\bt_[0-9a-f]{10}\b/g, '<database>')
    .replaceAll(/\b\d+(\.\d+)? ?(ms|s|min|m|h)\b/g, '<time>')
    .replaceAll(/"(ms|durationMs|etaMs|elapsedMs)":\d+(\.\d+)?/g, '"$1":<ms>');
}
