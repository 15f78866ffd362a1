import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../../src/errors.js';
import { searchPath } from '../../src/util/exec.js';

export interface ResolveBinaryOptions {
  /** What to type where it isn't there: `npm i -D prisma`. */
  readonly install?: string;
}

/**
 * The absolute path of a program: that of the project's packages (`node_modules/.bin` of `root` and of every folder above it), else that on
 * `PATH`. A name with a slash in it is a path from `root`. Looked up once a run rather than left to `npx`, which takes 0.6 s of every tenant.
 * @throws TenancyError `TENANCY_BINARY_MISSING`, with what to install.
 */
export async function resolveBinary(root: string, name: string, { install }: ResolveBinaryOptions = {}): Promise<string> {
  const isPath = /[\\/]/.test(name);
  const { folders, endings } = searchPath();
  const candidates = isPath ? [path.resolve(root, name)] : [...packageFolders(root), ...folders].map((folder) => path.join(folder, name));
  for (const candidate of candidates) {
    for (const ending of endings) if (await isExecutable(candidate + ending)) return candidate + ending;
  }
  throw new TenancyError('TENANCY_BINARY_MISSING', {
    binary: name,
    where: isPath ? (candidates[0] ?? name) : `node_modules/.bin from ${root} upwards, and PATH`,
    advice: install === undefined ? `install ${name}, or correct its name` : `install it: \`${install}\``,
  });
}

function packageFolders(root: string): string[] {
  const folders: string[] = [];
  for (let folder = path.resolve(root); ; folder = path.dirname(folder)) {
    folders.push(path.join(folder, 'node_modules', '.bin'));
    if (folder === path.dirname(folder)) return folders;
  }
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
