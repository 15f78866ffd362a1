import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { EngineName } from '../../drivers/driver.js';
import { isTenancyError } from '../../errors.js';
import { chooseFormat } from '../../migrations/formats/index.js';
import { loadMigrations } from '../../migrations/source.js';
import { readEntries } from '../../migrations/source-directory.js';
import { callOf, type FoundFiles, type KnownMigrator, MIGRATORS, relativePath } from './migrators.js';

/** The project's own migrator, as the config is to speak of it. */
export interface OwnMigrator {
  readonly name: string;
  /** See `KnownMigrator`. */
  readonly preset: string | null;
  readonly call: string;
  /**
   * `hook`: its files are there, and the config runs it. `folder`: the built-in migrator reads its folder, which is there.
   * `comment`: nothing of its is there yet, or another folder was asked for.
   */
  readonly use: 'hook' | 'folder' | 'comment';
  /** What was found, or where it would be; null where there is no one place. */
  readonly file: string | null;
  readonly isReadAsItIs: boolean;
  readonly needs: readonly string[];
}

export interface OwnMigrations {
  readonly migrator: OwnMigrator | null;
  /** For the built-in migrator; null where the project has none to go on with. */
  readonly folder: string | null;
}

const ENDINGS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', ''];

/** Where init itself puts a first migration: what is there is for the built-in migrator. */
export const FIRST_FOLDER = './migrations/tenant';

/** Folders that programs without a package, or libraries of other languages, keep their migrations in. */
const FORMAT_FOLDERS = ['./migrations', './db/migrations', './db/migration', './sql', './src/main/resources/db/migration'];

/**
 * Looks for what migrates this project already, by names and texts alone: nothing of it is run.
 * @param asked a folder that was asked for; then only that one is looked at
 */
export async function findOwnMigrations(
  cwd: string,
  dependencies: readonly string[],
  engine: EngineName,
  asked: string | null,
): Promise<OwnMigrations> {
  const known = MIGRATORS.filter(
    ({ packages, engines }) => engines.includes(engine) && packages.some((name) => dependencies.includes(name)),
  );
  const candidates = await Promise.all(known.map((migrator) => inspect(cwd, migrator, engine, asked)));
  const found = candidates.find(({ use }) => use !== 'comment');
  const migrator = found ?? candidates[0] ?? null;
  if (found !== undefined) return { migrator: found, folder: found.use === 'folder' ? found.file : null };
  const folder = engine === 'mongodb' ? null : await findFormatFolder(cwd, asked === null ? [FIRST_FOLDER, ...FORMAT_FOLDERS] : [asked]);
  if (folder?.isRefused && folder.format === 'flyway') return { migrator: flywayItself(folder.directory), folder: null };
  return { migrator, folder: folder?.directory ?? null };
}

async function inspect(cwd: string, migrator: KnownMigrator, engine: EngineName, asked: string | null): Promise<OwnMigrator> {
  const files = await findFiles(cwd, migrator, asked);
  const { name, preset, layout, isConfigEnough, folders } = migrator;
  const isReadAsItIs = typeof layout === 'string';
  const isThere = files.folder !== null || (asked === null && isConfigEnough && files.config !== null);
  return {
    name,
    preset,
    call: migrator.call(files),
    use: !isThere ? 'comment' : isReadAsItIs ? 'folder' : 'hook',
    file: isReadAsItIs ? (files.folder ?? folders[0] ?? null) : (files.config ?? files.folder),
    isReadAsItIs,
    needs: migrator.needs(engine),
  };
}

async function findFiles(cwd: string, migrator: KnownMigrator, asked: string | null): Promise<FoundFiles> {
  const found = { ...(await findConfigFile(cwd, migrator.configs)), isAsked: asked !== null };
  const named = migrator.readFolder(found.configText);
  const likely = asked !== null ? [asked] : named !== null ? [relativePath(named)] : migrator.folders;
  for (const folder of likely) if (await isOf(cwd, migrator, folder)) return { ...found, folder };
  return { ...found, folder: null };
}

async function findConfigFile(
  cwd: string,
  names: readonly string[],
): Promise<{ readonly config: string | null; readonly configText: string }> {
  for (const name of names) {
    for (const ending of ENDINGS) {
      const configText = await readFile(path.join(cwd, `${name}${ending}`), 'utf8').catch(() => null);
      if (configText !== null) return { config: `${name}${ending}`, configText };
    }
  }
  return { config: null, configText: '' };
}

async function isOf(cwd: string, { layout, folders }: KnownMigrator, folder: string): Promise<boolean> {
  if (typeof layout === 'string') return formatOf(cwd, folder) === layout;
  // Without a usual folder it isn't a folder that it goes by.
  if (folders.length === 0 || folder === FIRST_FOLDER) return false;
  const names = await readdir(path.resolve(cwd, folder)).catch(() => []);
  return names.some((name) => layout.test(name));
}

/** Null where there is no such folder, or nothing in it that is known. */
function formatOf(cwd: string, folder: string): string | null {
  const directory = path.resolve(cwd, folder);
  try {
    const entries = readEntries(directory);
    // Atlas's are numbered files, with their sum beside them. Others of that kind may have both ways in one file, which isn't ours to guess.
    if (entries.some(({ name }) => name === 'atlas.sum')) return 'atlas';
    return chooseFormat('auto', directory, entries).name;
  } catch (error) {
    if (isTenancyError(error)) return null;
    throw error;
  }
}

interface FormatFolder {
  readonly directory: string;
  readonly format: string;
  /** What is in it is more than the built-in migrator does. */
  readonly isRefused: boolean;
}

async function findFormatFolder(cwd: string, folders: readonly string[]): Promise<FormatFolder | null> {
  for (const directory of folders) {
    const format = formatOf(cwd, directory);
    if (format === null || (format === 'files' && directory !== FIRST_FOLDER)) continue;
    const isRefused = await loadMigrations({ directory, root: cwd }, { importModule: async () => ({}) }).then(
      () => false,
      (error: unknown) => isTenancyError(error),
    );
    return { directory, format, isRefused };
  }
  return null;
}

/** Where its folder has what only Flyway does: repeatable migrations, callbacks, placeholders. */
function flywayItself(directory: string): OwnMigrator {
  const call = callOf('flyway', { directory });
  return { name: 'Flyway', preset: 'flyway', call, use: 'hook', file: directory, isReadAsItIs: false, needs: [] };
}
