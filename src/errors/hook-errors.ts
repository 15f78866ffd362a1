import type { ImportFailure } from '../util/import-failure.js';
import { defineError, EXIT } from './define.js';
import { adviseMissing, placeIn, wordMissing } from './import-words.js';

export const hookErrors = {
  TENANCY_ERROR_ESCAPED: defineError<{ reason: string }>({
    exit: EXIT.bug,
    message: ({ reason }) => `an error that nothing waited for ended the command: ${reason}`,
    hint: () => 'where that is in a hook or the config, await what it starts; then run the same command again: it continues where it was',
  }),
  TENANCY_PROMISE_PENDING: defineError<Record<never, never>>({
    exit: EXIT.usage,
    message: () => 'the command waits for a promise that nothing settles any more',
    hint: () => 'have every promise that the config or a hook returns resolve or reject',
  }),
  TENANCY_HOOK_DRIVER_MISMATCH: defineError<{ tenant: string; hook: string; needed: string; driver: string }>({
    exit: EXIT.usage,
    message: ({ tenant, hook, needed, driver }) => `${tenant}: ${hook} is for ${needed} tenants, and this one is a ${driver} tenant`,
    hint: ({ driver }) =>
      `use ${driver.replace(/-(.)/, (_, letter: string) => letter.toUpperCase())} in its place, or leave the hook out: each driver brings its own`,
  }),
  TENANCY_QUERY_REFUSED: defineError<{ tenant: string; driver: string; call: string; instead: string }>({
    exit: EXIT.usage,
    message: ({ tenant, driver, call }) => `${tenant}: ${call} is not for a ${driver} tenant`,
    hint: ({ instead, driver }) => `use ${instead} where ctx.driver.name is '${driver}'`,
  }),
  TENANCY_BINARY_MISSING: defineError<{ binary: string; where: string; advice: string }>({
    exit: EXIT.usage,
    message: ({ binary, where }) => `there is no program ${binary} (looked for in ${where})`,
    hint: ({ advice }) => advice,
  }),
  TENANCY_PACKAGE_MISSING: defineError<{ packageName: string; preset: string; root: string; install: string }>({
    exit: EXIT.usage,
    message: ({ packageName, preset, root }) => `${preset} needs the npm package ${packageName}, which is not installed in ${root}`,
    hint: ({ install }) => install,
  }),
  TENANCY_PACKAGE_UNSUPPORTED: defineError<{ packageName: string; preset: string; version: string; from: string; below: string }>({
    exit: EXIT.usage,
    message: ({ packageName, preset, version, from, below }) =>
      `${preset} was made for ${packageName} from ${from} on and below ${below}, and ${version} is installed`,
    hint: ({ packageName, preset, below }) =>
      `install another: \`npm i -D "${packageName}@<${below}"\`; or run the program that is installed, with ${preset.replace('()', '.command()')}`,
  }),
  TENANCY_PRESET_REJECTED: defineError<{ preset: string; problem: string }>({
    exit: EXIT.usage,
    message: ({ preset, problem }) => `${preset}: ${problem}`,
  }),
  TENANCY_PRESET_FILE_REJECTED: defineError<{ preset: string; file: string; failure: ImportFailure }>({
    exit: EXIT.usage,
    message: ({ preset, file, failure }) => `${preset}: ${wordImportFailure(file, failure)}`,
    hint: ({ failure }) => (failure.type === 'missing' ? adviseMissing(failure.module) : 'mend it, then run the same command again'),
  }),
  TENANCY_MIGRATOR_REFUSED: defineError<{ tenant: string; reason: string; advice: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, reason }) => `${tenant}: ${reason}`,
    hint: ({ advice }) => advice,
  }),
};

function wordImportFailure(file: string, failure: ImportFailure): string {
  switch (failure.type) {
    case 'missing':
      return wordMissing(file, failure.module, failure.importer);
    case 'syntax':
      return `${placeIn(failure.file ?? file, failure.line, failure.column)}: syntax error: ${failure.reason}`;
    case 'thrown':
      return `${placeIn(file, failure.line, undefined)}: ${failure.action ?? 'it threw'}: ${failure.reason}`;
  }
}
