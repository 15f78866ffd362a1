import { defineError, EXIT } from './define.js';

const list = (names: readonly string[]): string => names.join(', ');
const are = (names: readonly string[], one: string, many: string): string => (names.length === 1 ? one : many);

/** Why the local files can't be brought together with what a tenant has recorded; found before anything runs. */
export const migrationPlanErrors = {
  TENANCY_MIGRATION_EDITED: defineError<{ migrations: readonly string[]; files: readonly string[] }>({
    exit: EXIT.refused,
    message: ({ migrations }) => `edited after ${are(migrations, 'it was', 'they were')} applied: ${list(migrations)}`,
    hint: ({ files }) => `put ${list(files)} back as before (\`git log -p -- <file>\`), and make the change in a new migration`,
  }),
  TENANCY_MIGRATION_MISSING: defineError<{
    migrations: readonly string[];
    renamed: readonly { readonly from: string; readonly to: string }[];
  }>({
    exit: EXIT.refused,
    message: ({ migrations }) => `applied, but no longer among the local files: ${list(migrations)}`,
    hint: ({ renamed }) =>
      renamed.length > 0
        ? `give ${list(renamed.map(({ from, to }) => `${to} its old name ${from}`))}: the text is the same`
        : 'bring the file back from version control; an applied migration is never deleted or renamed',
  }),
  TENANCY_MIGRATION_OUT_OF_ORDER: defineError<{ migrations: readonly string[]; newestApplied: string }>({
    exit: EXIT.refused,
    message: ({ migrations, newestApplied }) => `pending, but older than ${newestApplied}, which is applied: ${list(migrations)}`,
    hint: ({ migrations }) =>
      are(
        migrations,
        'give it a newer number, or run it as it stands with --allow-out-of-order',
        'give them newer numbers, or run them as they stand with --allow-out-of-order',
      ),
  }),
  TENANCY_MIGRATION_PROGRESS_DRIFTED: defineError<{ migration: string; statementsDone: number; reason: string; advice: string }>({
    exit: EXIT.refused,
    message: ({ migration, statementsDone, reason }) =>
      `${migration} was interrupted after ${statementsDone} of its statements, and ${reason}`,
    hint: ({ advice }) => advice,
  }),
  TENANCY_MIGRATION_IRREVERSIBLE: defineError<{ migrations: readonly string[]; reason?: string }>({
    exit: EXIT.refused,
    message: ({ migrations, reason = are(migrations, 'it has no down file', 'they have no down files') }) =>
      `can't be rolled back: ${list(migrations)} (${reason})`,
    hint: () => 'write the down file (`<name>.down.sql`, or `down` in a module), or undo the change with a new migration',
  }),
  TENANCY_MIGRATION_TARGET_UNKNOWN: defineError<{ to: string; reason: string; suggestion: string | null }>({
    exit: EXIT.usage,
    message: ({ to, reason }) => (to === '' ? reason : `--to ${to}: ${reason}`),
    hint: ({ suggestion }) =>
      suggestion === null ? '--to takes the name of a migration, or the number that it begins with' : `did you mean ${suggestion}?`,
  }),
  TENANCY_MIGRATION_TARGET_OLDER: defineError<{ to: string; current: string }>({
    exit: EXIT.refused,
    message: ({ to, current }) => `--to ${to} is older than ${current}, which is applied; migrate only goes up`,
    hint: ({ to }) => `to go back: \`tenancy tenant rollback <id> --to ${to}\``,
  }),
};
