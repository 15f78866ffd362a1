/**
 * Loads configs in a Node process of its own, from a bundle as it is shipped: the test runner replaces `import()`, and how Node itself
 * imports a config is what is tested.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { LoadConfigOptions } from '../../src/config/load.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

export type LoadAnswer =
  | { readonly file: string; readonly config: Readonly<Record<string, unknown>> }
  | { readonly code: string; readonly message: string; readonly hint?: string; readonly exitCode: number };

export interface ConfigLoader {
  load(options: LoadConfigOptions): Promise<LoadAnswer>;
  stop(): Promise<void>;
}

export async function startConfigLoader(): Promise<ConfigLoader> {
  const directory = await mkdtemp(path.join(tmpdir(), 'tenancy-loader-'));
  await symlink(path.join(repository, 'node_modules'), path.join(directory, 'node_modules'));
  await build({
    absWorkingDir: repository,
    entryPoints: { child: fileURLToPath(new URL('./config-loader-child.ts', import.meta.url)) },
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    external: ['jiti', 'typescript'],
    banner: { js: "import{createRequire as __loaderRequire}from'node:module';const require=__loaderRequire(import.meta.url);" },
    logLevel: 'error',
  });
  const child = fork(path.join(directory, 'child.mjs'), { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = new AbortController();
  const exited = once(child, 'exit').finally(() => ended.abort(new Error('the loader has ended')));
  let last: Promise<unknown> = Promise.resolve();
  return {
    load: (options) => {
      const answer = last.then(async () => {
        child.send(options);
        const [message] = (await once(child, 'message', { signal: ended.signal })) as [LoadAnswer];
        return message;
      });
      last = answer;
      return answer;
    },
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
