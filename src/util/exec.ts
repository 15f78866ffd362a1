import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { createLineReader } from './line-reader.js';
import { killGroupOnAbort } from './process-group.js';

export interface ExecForTenantOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** What it reads; a stream is read as fast as the program takes it. */
  readonly input?: string | Readable;
  /** Aborted at the latest when the tenant is done: then whatever of the group is left is killed. */
  readonly signal: AbortSignal;
  /** Whole lines, without escape sequences and secrets. */
  readonly onOutput: (text: string) => void;
}

/** Of the standard output, for the caller. */
const MOST_KEPT = 1_000_000;
/** Of all output, for the log: what writes faster than a disk takes it is not to fill the memory. */
const MOST_LOGGED = 10_000_000;
/** Of the error output, for the message of a failure. */
const TAIL_LINES = 5;
const TAIL_LENGTH = 1_000;
/** Where an error of Node's passed through: what it says is above. The log has them. */
const STACK_FRAME = /^\s+at .+:\d+:\d+\)?$/;
/** How long the output has to be silent once the program has ended, where something that it started holds it open. */
const SILENCE_MS = 100;
/** What goes on talking is not waited for. */
const LAST_WORDS_MS = 1_000;

/**
 * Runs a program without a shell, in a process group of its own: a Ctrl-C at the terminal doesn't reach it while the run drains,
 * and an abort kills it together with whatever it started. It is done when the program has ended, whatever it left running.
 * Rejects for every exit code but 0, with the last lines of what it said.
 */
export async function execForTenant(
  file: string,
  args: readonly string[],
  options: ExecForTenantOptions,
): Promise<{ readonly stdout: string; readonly exitCode: number }> {
  const { signal, cwd } = options;
  signal.throwIfAborted();
  const { execa } = await import('./execa.js');
  const child = execa(file, args, {
    cwd,
    env: options.env,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    detached: process.platform !== 'win32',
    preferLocal: true,
    localDir: cwd,
    reject: false,
    buffer: false,
  });
  const output = gatherOutput(options.onOutput);
  let kept = '';
  let silence: NodeJS.Timeout | undefined;
  let lastWords: NodeJS.Timeout | undefined;
  child.stdout?.on('data', (chunk: Buffer) => {
    if (kept.length < MOST_KEPT) kept += chunk.toString('latin1');
    output.stdout.write(chunk);
    silence?.refresh();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    output.stderr.write(chunk);
    silence?.refresh();
  });
  killGroupOnAbort(child, signal);
  const ended = new Promise<Ending>((resolve) => {
    child.once('exit', (exitCode, killedBy) => {
      const end = (): void => resolve({ exitCode: exitCode ?? undefined, signal: killedBy ?? undefined });
      silence = setTimeout(end, SILENCE_MS);
      lastWords = setTimeout(end, LAST_WORDS_MS);
    });
  });
  const { exitCode, ...ending } = await Promise.race<Ending>([child, ended]);
  clearTimeout(silence);
  clearTimeout(lastWords);
  silence = undefined;
  output.end();
  signal.throwIfAborted();
  if (exitCode === undefined) throw new Error(await explainNoExit(file, cwd, ending));
  if (exitCode !== 0) throw new Error(`${nameOf(file)} exited with ${exitCode}${output.tail()}`);
  return { stdout: Buffer.from(kept, 'latin1').toString(), exitCode };
}

interface Ending {
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly code?: string | undefined;
}

/** Where programs are looked for: the folders of `PATH`, and the endings that a program's name may be given without. */
export function searchPath(): { readonly folders: readonly string[]; readonly endings: readonly string[] } {
  const isWindows = process.platform === 'win32';
  const folders = (process.env['PATH'] ?? process.env['Path'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return { folders, endings: isWindows ? ['.exe', '.cmd', '.bat', ''] : [''] };
}

function gatherOutput(onOutput: (text: string) => void) {
  let logged = 0;
  const log = (lines: readonly string[]): void => {
    if (logged > MOST_LOGGED) return;
    const text = lines.join('\n');
    logged += text.length;
    onOutput(logged > MOST_LOGGED ? `${text}\n… (what it says from here on is not kept)` : text);
  };
  const tails = { stdout: [] as string[], stderr: [] as string[] };
  const reader = (name: keyof typeof tails) =>
    createLineReader((lines) => {
      log(lines);
      tails[name] = [...tails[name], ...lines.filter(isTelling).slice(-TAIL_LINES)].slice(-TAIL_LINES);
    });
  const stdout = reader('stdout');
  const stderr = reader('stderr');
  return {
    stdout,
    stderr,
    end: () => {
      stdout.end();
      stderr.end();
    },
    /** Some say what went wrong on the standard output. */
    tail: () => {
      const lines = tails.stderr.length > 0 ? tails.stderr : tails.stdout;
      const text = lines.join('\n');
      if (text === '') return '';
      return `:\n${text.length > TAIL_LENGTH ? `… ${text.slice(-TAIL_LENGTH)}` : text}`;
    },
  };
}

function isTelling(line: string): boolean {
  return line.trim() !== '' && !STACK_FRAME.test(line.trimEnd());
}

async function explainNoExit(file: string, cwd: string, { code, signal }: Ending): Promise<string> {
  if (signal !== undefined) return `${nameOf(file)} was killed by ${signal}`;
  const isFolder = await stat(cwd).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
  if (!isFolder) return `${nameOf(file)} can't be run in ${cwd}: there is no such directory`;
  if (code === 'ENOENT') {
    return `${file}: command not found (looked for in node_modules/.bin from ${cwd} upwards, and in PATH): install it, or correct its name`;
  }
  return `${file} can't be run${code === 'EACCES' ? ': it is no program, or not one for this user' : code === undefined ? '' : `: ${code}`}`;
}

/** A path is as long as it is; what is read is the program's name. */
function nameOf(file: string): string {
  return path.basename(file);
}
