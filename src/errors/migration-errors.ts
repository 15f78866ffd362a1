import { defineError, EXIT } from './define.js';
import { migrationPlanErrors } from './migration-plan-errors.js';
import { migrationRunErrors } from './migration-run-errors.js';
import { migrationSourceErrors } from './migration-source-errors.js';

export const migrationErrors = {
  ...migrationSourceErrors,
  ...migrationPlanErrors,
  ...migrationRunErrors,
  TENANCY_MIGRATION_FAILED: defineError<{
    tenant: string;
    migration: string;
    reason: string;
    file?: string;
    line?: number;
    column?: number;
    statement?: string;
    advice?: string;
  }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, migration, reason, line, column, statement }) =>
      `${tenant}: migration ${migration}${line === undefined ? '' : `, line ${line}${column === undefined ? '' : `, column ${column}`}`}: ${reason}` +
      (statement === undefined ? '' : `\n${statement}`),
    // A file that others have applied must not be edited any more.
    hint: ({ tenant, file, advice }) =>
      advice ?? `mend ${file ?? 'the migration'} if no tenant has it yet, else what is in ${tenant}; then run the same command again`,
  }),
};
