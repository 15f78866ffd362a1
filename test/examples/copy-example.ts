import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { repositoryRoot } from '../rig/cli.js';

export interface ExampleCopy {
  readonly directory: string;
  remove(): void;
}

/** An example as its reader has it: a project of its own, in which `tenancy-cli` is installed. */
export function copyExample(name: string): ExampleCopy {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'project-example-'));
  const source = path.join(repositoryRoot, 'examples', name);
  cpSync(source, directory, { recursive: true, filter: (file) => path.basename(file) !== '.tenancy' });
  mkdirSync(path.join(directory, 'node_modules'));
  symlinkSync(repositoryRoot, path.join(directory, 'node_modules/tenancy-cli'), 'dir');
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** What Node needs to run TypeScript: nothing where it strips types by itself. */
export const typescriptFlags: readonly string[] =
  'typescript' in process.features && process.features.typescript
    ? []
    : ['--import', path.join(repositoryRoot, 'node_modules/jiti/lib/jiti-register.mjs')];
