export interface ExecForTenantOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly signal: AbortSignal;
  readonly onOutput: (text: string) => void;
}

/** Output beyond this is still logged, but no longer kept for the caller. */
const MAX_KEPT_BYTES = 1_000_000;

/**
 * Runs a command without a shell, in a process group of its own: a Ctrl-C at the terminal doesn't reach it while the run drains,
 * and an abort kills it together with whatever it started.
 */
export async function execForTenant(
  file: string,
  args: readonly string[],
  options: ExecForTenantOptions,
): Promise<{ readonly stdout: string; readonly exitCode: number }> {
  options.signal.throwIfAborted();
  const { execa } = await import('execa');
  const { stripVTControlCharacters } = await import('node:util');
  const child = execa(file, args, {
    cwd: options.cwd,
    env: options.env,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    detached: process.platform !== 'win32',
    preferLocal: true,
    localDir: options.cwd,
    reject: false,
    maxBuffer: MAX_KEPT_BYTES,
    buffer: false,
    all: true,
  });
  let kept = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    if (kept.length < MAX_KEPT_BYTES) kept += chunk.toString();
  });
  child.all?.on('data', (chunk: Buffer) => options.onOutput(stripVTControlCharacters(chunk.toString())));
  const killGroup = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL');
    } catch (error) {
      // Gone already.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  options.signal.addEventListener('abort', killGroup, { once: true });
  try {
    const result = await child;
    options.signal.throwIfAborted();
    if (result.exitCode === undefined) {
      throw new Error(result.code === 'ENOENT' ? `${file}: command not found` : `${file} was ended by ${result.signal ?? 'an error'}`);
    }
    if (result.exitCode !== 0) throw new Error(`${file} exited with ${result.exitCode}`);
    return { stdout: kept, exitCode: result.exitCode };
  } finally {
    options.signal.removeEventListener('abort', killGroup);
  }
}
