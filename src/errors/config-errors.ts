import { defineError, EXIT } from './define.js';
import { adviseMissing, placeIn, wordMissing } from './import-words.js';

/** One thing that is wrong in a config, at one path. */
export interface ConfigIssue {
  /** As it would be written in code: `clusters.main.url`, `seeds[0]`; empty for the config as a whole. */
  readonly path: string;
  /** `expected …, got …`, or another clause that follows the path. */
  readonly problem: string;
}

function wordIssue({ path, problem }: ConfigIssue): string {
  return path === '' ? problem : `\`${path}\`: ${problem}`;
}

export const configErrors = {
  TENANCY_FOLDER_GONE: defineError<Record<never, never>>({
    exit: EXIT.usage,
    message: () => 'the working directory was deleted',
    hint: () => 'cd to a folder that exists, then run the same command again',
  }),
  TENANCY_CONFIG_NOT_FOUND: defineError<{ directory: string; upTo?: string }>({
    exit: EXIT.usage,
    message: ({ directory, upTo }) =>
      `no tenancy.config.ts was found in ${directory}${upTo === undefined || upTo === directory ? '' : ` or above it, up to ${upTo}`}`,
    hint: () => 'run `npx tenancy init` to write one, or point at yours with --config PATH',
  }),
  TENANCY_CONFIG_UNREADABLE: defineError<{ file: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, reason }) => `the config ${file} can't be read: ${reason}`,
    hint: () => 'point --config (or TENANCY_CONFIG) at a tenancy.config.ts, or leave it out to search from the working directory up',
  }),
  TENANCY_CONFIG_SYNTAX_REJECTED: defineError<{ file: string; line?: number; column?: number; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, line, column, reason }) => `${placeIn(file, line, column)}: syntax error: ${reason}`,
  }),
  TENANCY_CONFIG_IMPORT_FAILED: defineError<{ file: string; module: string; importer?: string }>({
    exit: EXIT.usage,
    message: ({ file, module, importer }) => wordMissing(file, module, importer),
    hint: ({ module }) => adviseMissing(module),
  }),
  TENANCY_CONFIG_LOAD_FAILED: defineError<{ file: string; line?: number; action: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, line, action, reason }) => `${placeIn(file, line, undefined)}: ${action}: ${reason}`,
  }),
  TENANCY_CONFIG_EMPTY: defineError<{ file: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, reason }) => `${file}: ${reason}`,
    hint: () => 'it should hold a config: `export default defineConfig({ clusters: {…}, placement: … })`; `npx tenancy init` writes one',
  }),
  TENANCY_CONFIG_REJECTED: defineError<{ file: string | null; issues: readonly ConfigIssue[] }>({
    exit: EXIT.usage,
    message: ({ file, issues: [first, ...others] }) =>
      `${file ?? 'the config'}: ${first === undefined ? 'it is not a config' : wordIssue(first)}` +
      others.map((issue) => `\n  also ${wordIssue(issue)}`).join(''),
  }),
  TENANCY_VARIABLE_UNSET: defineError<{ file: string; path: string; variable: string }>({
    exit: EXIT.usage,
    message: ({ file, path, variable }) => `${file}: \`${path}\`: the environment variable ${variable} is not set`,
    hint: ({ variable }) => `set ${variable}, or name a file that sets it with --env-file; a literal \${ is written $\${`,
  }),
  TENANCY_ENV_FILE_UNREADABLE: defineError<{ file: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, reason }) => `the env file ${file} can't be read: ${reason}`,
    hint: () => 'check --env-file (or TENANCY_ENV_FILE)',
  }),
  TENANCY_URL_REJECTED: defineError<{ file: string | null; path: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, path, reason }) => `${file ?? 'the config'}: \`${path}\`: ${reason}`,
  }),
  TENANCY_PLACEMENT_REJECTED: defineError<{ file: string | null; tenant: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, tenant, reason }) => `${file ?? 'the config'}: \`placement\`: for tenant ${JSON.stringify(tenant)} ${reason}`,
  }),
  TENANCY_DURATION_REJECTED: defineError<{ value: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ value, reason }) => `expected ${reason}, got ${JSON.stringify(value)}`,
  }),
};
