import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Takes a directory away, after ending the process whose data it holds, when we are gone, were it by SIGKILL: its end of
 * a pipe closes then. Kill it when there is nothing left to do.
 */
export function startWatchdog(directory: string, pid?: number, signal: 'INT' | 'KILL' = 'INT'): ChildProcess {
  const endServer = 'kill -"$3" "$2"; i=0; while kill -0 "$2" && [ $i -lt 100 ]; do i=$((i+1)); sleep 0.05; done;';
  const script = `cat >/dev/null; ${pid === undefined ? '' : endServer} rm -rf "$1"`;
  // In a session of its own, so that a Ctrl-C leaves it to its work.
  const watchdog = spawn('sh', ['-c', script, 'watchdog', directory, String(pid ?? ''), signal], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    env: { PATH: process.env.PATH },
  });
  watchdog.unref();
  return watchdog;
}
