import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type CliOptions, type CliResult, repositoryRoot, runCli } from '../rig/cli.js';

/** A folder that `init` is run in, new for each test and gone after it. */
export interface InitFolder {
  folder(): string;
  run(args: readonly string[], options?: Partial<CliOptions>): Promise<CliResult>;
  read(file: string): Promise<string>;
  write(files: Readonly<Record<string, string>>): Promise<void>;
  /** Files by their paths, sorted; what npm installs is left out. */
  list(): Promise<string[]>;
  /** As `npm i -D tenancy-cli` would, with further packages of this repository. */
  install(...packages: readonly string[]): Promise<void>;
}

export function useInitFolder(): InitFolder {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'init-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));
  return {
    folder: () => directory,
    run: (args, options = {}) => runCli(args, { cwd: directory, ...options }),
    read: (file) => readFile(path.join(directory, file), 'utf8'),
    write: async (files) => {
      for (const [file, text] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(directory, file)), { recursive: true });
        await writeFile(path.join(directory, file), text);
      }
    },
    list: async () => {
      const entries = await readdir(directory, { recursive: true, withFileTypes: true });
      const files = entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)));
      return files.filter((file) => !file.startsWith('node_modules')).sort();
    },
    install: async (...packages) => {
      await mkdir(path.join(directory, 'node_modules'), { recursive: true });
      await symlink(repositoryRoot, path.join(directory, 'node_modules/tenancy-cli'), 'dir');
      for (const name of packages) {
        await symlink(path.join(repositoryRoot, 'node_modules', name), path.join(directory, 'node_modules', name), 'dir');
      }
    },
  };
}

export function manifest(content: object): Readonly<Record<string, string>> {
  return { 'package.json': `${JSON.stringify(content)}\n` };
}
