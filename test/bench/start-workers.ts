import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export interface Workers {
  kill(index: number): void;
  /** Lets them finish what they have in flight. */
  stop(): Promise<void>;
}

/** Starts workers of a project, and resolves once each waits for runs. */
export async function startWorkers(
  root: string,
  count: number,
  options: { readonly node: string; readonly cwd: string; readonly url: string; readonly concurrency: number },
): Promise<Workers> {
  const { node, cwd, url, concurrency } = options;
  const bin = path.join(root, 'bin', 'tenancy.js');
  const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, ...env } = process.env;
  const each = Array.from({ length: count }, () =>
    spawn(node, [bin, 'worker', '--concurrency', String(concurrency)], {
      cwd,
      env: { ...env, BENCH_URL: url, NO_COLOR: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    }),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(each.map(end));
  };
  try {
    await Promise.all(each.map(untilReady));
  } catch (error) {
    await stop();
    throw error;
  }
  return { kill: (index) => void each[index]?.kill('SIGKILL'), stop };
}

async function end(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const ended = once(worker, 'exit');
  worker.kill('SIGTERM');
  await ended;
}

function untilReady(worker: ChildProcess): Promise<void> {
  let said = '';
  return new Promise((resolve, reject) => {
    // Read on to its end: a full pipe would stop the worker.
    worker.stderr?.on('data', (chunk) => {
      if (said.length < 10_000) said += String(chunk);
      if (said.includes('waiting for runs')) resolve();
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a worker ended with ${code} before it was ready:\n${said}`)));
  });
}
