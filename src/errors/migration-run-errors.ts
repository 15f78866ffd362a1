import { defineError, EXIT } from './define.js';
import { type ScriptFailure, wordScriptFailure } from './script-failure.js';

export interface Place {
  readonly file: string;
  readonly line: number;
}

const NO_TRANSACTION = '-- tenancy: no-transaction';

/** Of carrying out migrations: what a script may not hold, and what can come in between in a tenant. */
export const migrationRunErrors = {
  TENANCY_MIGRATION_TRANSACTION_REFUSED: defineError<Place & { word: string; advice?: string }>({
    exit: EXIT.refused,
    message: ({ file, line, word }) =>
      `${file}, line ${line}: ${word} is refused, it would part the work of the migration from its history row`,
    hint: ({ advice }) => advice ?? 'take it out: each file is a transaction of its own already',
  }),
  TENANCY_MIGRATION_COMMAND_REFUSED: defineError<Place & { what: string; instead: string }>({
    exit: EXIT.refused,
    message: ({ file, line, what }) => `${file}, line ${line}: ${what} can't be sent to the server`,
    hint: ({ instead }) => instead,
  }),
  TENANCY_MIGRATION_NEEDS_NO_TRANSACTION: defineError<Place & { what: string }>({
    exit: EXIT.refused,
    message: ({ file, line, what }) => `${file}, line ${line}: ${what} can't run inside a transaction`,
    hint: ({ file }) => `make \`${NO_TRANSACTION}\` the first line of ${file}, best with this statement alone in it`,
  }),
  TENANCY_MIGRATION_SCHEMA_REFUSED: defineError<Place & { what: string; advice?: string }>({
    exit: EXIT.refused,
    message: ({ file, line, what }) => `${file}, line ${line}: ${what} reaches beyond what is the tenant's own`,
    hint: ({ advice }) =>
      advice ?? "leave the schema out, or have `public` taken for the tenant's: sqlMigrations({ …, schemas: { public: 'tenant' } })",
  }),
  TENANCY_MIGRATION_EXTENSION_REFUSED: defineError<Place & { what: string; effect?: string; advice?: string }>({
    exit: EXIT.refused,
    message: ({ file, line, what, effect = 'change an extension that all tenants of the database share' }) =>
      `${file}, line ${line}: ${what} would ${effect}`,
    hint: ({ advice }) => advice ?? 'do it once by hand, for the whole database',
  }),
  TENANCY_MIGRATION_UNFINISHED: defineError<Place & { what: string }>({
    exit: EXIT.refused,
    message: ({ file, line, what }) => `${file}, line ${line}: there is ${what}`,
    hint: ({ file }) => `mend ${file}; nothing was sent to the server`,
  }),
  TENANCY_SEED_FAILED: defineError<ScriptFailure & { seed: string }>({
    exit: EXIT.tenantsFailed,
    message: (failure) => wordScriptFailure(`seed ${failure.seed}`, failure),
    hint: ({ tenant, file, advice }) => advice ?? `mend ${file ?? 'the seed'}, then run the same command for ${tenant} again`,
  }),
  TENANCY_MIGRATION_UNKNOWN: defineError<{ tenant: string; migration: string; file: string; line: number; statement: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, migration, line, statement }) =>
      `${tenant}: migration ${migration}, line ${line}, was interrupted, and whether this had been done can't be told:\n${statement}`,
    hint: ({ tenant }) => `look into the tenant, then \`tenancy tenant repair ${tenant} --applied\` or \`--rerun\``,
  }),
  TENANCY_HISTORY_MOVED: defineError<{ tenant: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant }) => `${tenant}: another process has changed the migrations of the tenant meanwhile, and nothing was run on top`,
    hint: () => 'run the same command again',
    isRetryable: true,
  }),
  TENANCY_FENCE_LOST: defineError<{ tenant: string; fence: number }>({
    exit: EXIT.locked,
    message: ({ tenant, fence }) =>
      `${tenant}: a newer owner has taken the tenant over (this one's fence was ${fence}), and nothing was written`,
    hint: () => 'wait for the other one, then run the same command again',
    isRetryable: true,
  }),
  TENANCY_TENANT_BUSY: defineError<{ tenant: string; holder: string; waitedMs: number }>({
    exit: EXIT.locked,
    message: ({ tenant, holder, waitedMs }) => `${tenant}: ${holder} is at work in the tenant, and was not done after ${waitedMs} ms`,
    hint: () => 'try again, or wait longer with --lock-timeout',
    isRetryable: true,
  }),
};
