import type { ChildProcess } from 'node:child_process';

/**
 * Kills a detached child and all that it has started when the signal aborts, also where the child itself has ended by then. What has left the group
 * (a daemon) lives on; our ends of its pipes are closed, so that nothing waits for it.
 */
export function killGroupOnAbort(child: Pick<ChildProcess, 'pid' | 'once' | 'stdout' | 'stderr'>, signal: AbortSignal): void {
  const onAbort = (): void => {
    signalGroup(child.pid, 'SIGKILL');
    // What was written before the kill is still read.
    setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, 50);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  child.once('exit', () => {
    // A group without members frees its number for others.
    if (!signalGroup(child.pid, 0)) signal.removeEventListener('abort', onAbort);
  });
  if (signal.aborted) onAbort();
}

/** False: there is nobody in it. */
function signalGroup(pid: number | undefined, signal: 'SIGKILL' | 0): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // macOS says EPERM of a group whose only members are zombies.
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}
