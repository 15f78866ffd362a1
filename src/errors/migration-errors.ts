import { defineError, EXIT } from './define.js';
import { migrationPlanErrors } from './migration-plan-errors.js';
import { migrationRunErrors } from './migration-run-errors.js';
import { migrationSourceErrors } from './migration-source-errors.js';
import { type ScriptFailure, wordScriptFailure } from './script-failure.js';

export interface TimedOut {
  readonly tenant: string;
  readonly migration: string;
  /** @default 'migration' */
  readonly kind?: 'migration' | 'seed';
  readonly limitMs: number;
  readonly file?: string;
  readonly line?: number;
  readonly statement?: string;
  /** What to do first, where the statement kept a part of its work. */
  readonly advice?: string;
}

export const migrationErrors = {
  ...migrationSourceErrors,
  ...migrationPlanErrors,
  ...migrationRunErrors,
  TENANCY_MIGRATION_FAILED: defineError<ScriptFailure & { migration: string }>({
    exit: EXIT.tenantsFailed,
    message: (failure) => wordScriptFailure(`migration ${failure.migration}`, failure),
    // A file that others have applied must not be edited any more.
    hint: ({ tenant, file, advice }) =>
      advice ?? `mend ${file ?? 'the migration'} if no tenant has it yet, else what is in ${tenant}; then run the same command again`,
  }),
  TENANCY_DRIVER_UNMIGRATED: defineError<{ driver: string; known: readonly string[] }>({
    exit: EXIT.usage,
    message: ({ driver, known }) => `byDriver() says nothing of ${driver} tenants, only of ${known.join(', ')}`,
    hint: ({ driver }) => `add '${driver}': sqlMigrations({ directory }) to byDriver({ … }) in the config`,
  }),
  TENANCY_STATEMENT_TIMED_OUT: defineError<TimedOut>({
    exit: EXIT.tenantsFailed,
    message: (details) => `${placeOf(details)}: it took longer than ${details.limitMs} ms, and was stopped${excerptOf(details)}`,
    hint: ({ advice }) => advice ?? 'give statements more time with --statement-timeout, then run the same command again',
  }),
  TENANCY_LOCK_TIMED_OUT: defineError<TimedOut>({
    exit: EXIT.tenantsFailed,
    message: (details) =>
      `${placeOf(details)}: others held a lock that it needs, and it gave up after ${details.limitMs} ms, so that nobody queues behind it${excerptOf(details)}`,
    hint: ({ advice }) => advice ?? 'run the same command again at a quieter hour, or wait longer with --lock-timeout',
    isRetryable: true,
  }),
};

function placeOf({ tenant, kind = 'migration', migration, line }: TimedOut): string {
  return `${tenant}: ${kind} ${migration}${line === undefined ? '' : `, line ${line}`}`;
}

function excerptOf({ statement }: TimedOut): string {
  return statement === undefined ? '' : `\n${statement}`;
}
