import path from 'node:path';
import { TenancyError } from '../errors.js';
import { explainThrown } from './explain-import-error.js';
import type { FoundConfig } from './find-config.js';
import { findConfig, readConfigAt } from './find-config.js';
import { type ConfigExport, importConfig } from './import-config.js';
import { checkConfig } from './schema.js';
import type { TenancyConfig } from './types.js';

export interface LoadConfigOptions {
  /** Absolute. The search starts here, and `configPath` is relative to it. */
  readonly cwd: string;
  /** What `--config` or `TENANCY_CONFIG` names; without it the config is searched for. */
  readonly configPath?: string | undefined;
  /** For `${VAR}` in JSON and YAML, and for the function form. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For the function form: `tenant migrate`. */
  readonly command: string;
}

/** A config that passed every check of its shape, with nothing filled in yet. */
export interface LoadedConfig {
  /** Absolute path of the file, or null for a config that was passed as an object. */
  readonly file: string | null;
  /** Directory that relative paths start from. */
  readonly root: string;
  readonly config: TenancyConfig;
}

/**
 * Finds, reads and checks the project's config.
 * @throws TenancyError one of the `TENANCY_CONFIG_*` codes, or `TENANCY_VARIABLE_UNSET`: each names the file, and exits 2.
 */
export async function loadConfig(options: LoadConfigOptions): Promise<LoadedConfig & { readonly file: string }> {
  const found = options.configPath === undefined ? await findConfig(options.cwd) : await readConfigAt(options.cwd, options.configPath);
  const { file } = found;
  if (found.text.trim() === '') throw new TenancyError('TENANCY_CONFIG_EMPTY', { file, reason: 'the config is empty' });
  const exported = await readExport(found, options);
  return { ...(await checkExport(exported, file, path.dirname(file), options, found.isPackageJson ? ['tenancy'] : [])), file };
}

/**
 * The same checks for a config that a program passes as an object (or as its function form).
 * @throws TenancyError as `loadConfig` does.
 */
export async function loadConfigObject(config: unknown, options: Omit<LoadConfigOptions, 'configPath'>): Promise<LoadedConfig> {
  return checkExport({ hasDefault: true, value: config }, null, options.cwd, options, []);
}

async function readExport(found: FoundConfig, { env }: LoadConfigOptions): Promise<ConfigExport> {
  if (found.type === 'module') {
    return importConfig(found.file);
  }
  const { parseConfig } = await import('./parse-config.js');
  return { hasDefault: true, value: await parseConfig(found, env) };
}

async function checkExport(
  exported: ConfigExport,
  file: string | null,
  root: string,
  context: { readonly command: string; readonly env: LoadConfigOptions['env'] },
  prefix: readonly string[],
): Promise<LoadedConfig> {
  const shownFile = file ?? 'the config';
  const config = await callExport(exported.value, shownFile, context);
  if (config === undefined || config === null) {
    const reason = explainAbsence(exported, config);
    throw new TenancyError('TENANCY_CONFIG_EMPTY', { file: shownFile, reason });
  }
  const issues = checkConfig(config, prefix);
  if (issues.length > 0) throw new TenancyError('TENANCY_CONFIG_REJECTED', { file, issues });
  return { file, root, config: config as TenancyConfig };
}

async function callExport(
  exported: unknown,
  file: string,
  { command, env }: { readonly command: string; readonly env: LoadConfigOptions['env'] },
): Promise<unknown> {
  if (typeof exported !== 'function') {
    return Promise.resolve(exported).catch((thrown: unknown) => {
      throw explainThrown(file, 'the promise that the config exports was rejected', thrown);
    });
  }
  try {
    return (await exported({ command, env: { ...env } })) as unknown;
  } catch (thrown) {
    throw explainThrown(file, 'the config function failed', thrown);
  }
}

function explainAbsence({ hasDefault, value }: ConfigExport, config: null | undefined): string {
  if (typeof value === 'function') return `the config function returned ${config}; is a \`return\` missing?`;
  return hasDefault ? `the config is ${config === undefined ? 'undefined' : 'empty'}` : 'it has no default export';
}
