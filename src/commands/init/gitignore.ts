import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { NewFile } from './write-files.js';

/** Logs of tenants, and the data of the embedded server that `init` proposes. */
const OURS = '.tenancy';

/** What to append to `.gitignore`, whether or not there is one yet; null where nothing is missing. */
export async function planGitignore(
  cwd: string,
  serverUrl: string | null,
): Promise<(NewFile & { readonly entries: readonly string[] }) | null> {
  const before = await readFile(path.join(cwd, '.gitignore'), 'utf8').catch(() => '');
  const ignored = new Set(
    before.split(/\r?\n/).map((line) =>
      line
        .trim()
        .replace(/^(\*\*)?\//, '')
        .replace(/\/\*{0,2}$/, ''),
    ),
  );
  const entries = [OURS, ...embeddedFolder(cwd, serverUrl)].filter((folder) => !ignored.has(folder)).map((folder) => `${folder}/`);
  if (entries.length === 0) return null;
  const end = before.includes('\r\n') ? '\r\n' : '\n';
  const separator = before === '' || before.endsWith('\n') ? '' : end;
  return { file: '.gitignore', text: `${separator}${entries.map((entry) => `${entry}${end}`).join('')}`, entries };
}

/** An embedded server's data that is in the project, but not with ours. */
function embeddedFolder(cwd: string, serverUrl: string | null): readonly string[] {
  if (!serverUrl?.startsWith('embedded:')) return [];
  const folder = path
    .relative(cwd, path.resolve(cwd, serverUrl.slice('embedded:'.length)))
    .split(path.sep)
    .join('/');
  const isOutside = folder === '' || folder === '..' || folder.startsWith('../') || path.isAbsolute(folder);
  return isOutside || folder === OURS || folder.startsWith(`${OURS}/`) ? [] : [folder];
}
