import { defineError, EXIT } from './define.js';

/** What can be wrong with the folder of migrations, before any tenant is looked at. */
/** A folder of hundreds may be wrong in one way throughout: a few show which. */
const MAX_CLASHES = 3;

function listFiles(files: readonly string[]): string {
  const rest = files.length - MAX_CLASHES;
  return rest > 0 ? `${files.slice(0, MAX_CLASHES).join(', ')} and ${rest} more` : files.join(' and ');
}

export const migrationSourceErrors = {
  TENANCY_MIGRATIONS_DIRECTORY_REJECTED: defineError<{ directory: string; reason: string; advice: string }>({
    exit: EXIT.usage,
    message: ({ directory, reason }) => `the migrations directory ${directory} ${reason}`,
    hint: ({ advice }) => advice,
  }),
  TENANCY_MIGRATION_FILE_REJECTED: defineError<{ file: string; reason: string; advice: string }>({
    exit: EXIT.usage,
    message: ({ file, reason }) => `${file}: ${reason}`,
    hint: ({ advice }) => advice,
  }),
  TENANCY_MIGRATION_NAME_TAKEN: defineError<{ clashes: readonly { readonly files: readonly string[]; readonly reason: string }[] }>({
    exit: EXIT.usage,
    message: ({ clashes }) =>
      [
        ...clashes.slice(0, MAX_CLASHES).map(({ files, reason }) => `${listFiles(files)} ${reason}`),
        ...(clashes.length > MAX_CLASHES ? [`and ${clashes.length - MAX_CLASHES} more of the kind`] : []),
      ].join('; '),
    hint: () => 'rename the one that no tenant has yet: the order of migrations has to be beyond doubt',
  }),
  TENANCY_MIGRATION_DIRECTIVE_UNKNOWN: defineError<{ file: string; line: number; directive: string; suggestion: string | null }>({
    exit: EXIT.usage,
    message: ({ file, line, directive }) => `${file}, line ${line}: there is no directive ${JSON.stringify(directive)}`,
    hint: ({ suggestion }) =>
      suggestion === null ? 'the only one there is: `-- tenancy: no-transaction`' : `did you mean \`-- tenancy: ${suggestion}\`?`,
  }),
  TENANCY_MIGRATION_SQL_REFUSED: defineError<{ file: string; driver: string }>({
    exit: EXIT.usage,
    message: ({ file, driver }) => `${file}: SQL can't be run for ${driver} tenants`,
    hint: () => 'write it as a module, .ts or .js, that exports `async function up(db, { client, session, signal, tenant, log })`',
  }),
  TENANCY_MIGRATION_MODULE_REJECTED: defineError<{ file: string; reason: string; advice?: string }>({
    exit: EXIT.usage,
    message: ({ file, reason }) => `${file}: ${reason}`,
    hint: ({ advice }) => advice ?? 'a migration module exports `async function up(db, context)`, and optionally `down`',
  }),
};
