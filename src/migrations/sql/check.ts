import { TenancyError } from '../../errors.js';
import type { MigrationScript } from '../migration.js';
import { inspectScript, type SqlNote } from './inspect.js';
import { positionAt } from './position.js';
import type { Reach } from './reach.js';
import { parseSqlScript, type SqlScript } from './script.js';

export type SqlMigrationScript = Extract<MigrationScript, { type: 'sql' }>;

export interface CheckOptions {
  /** It shares its database with other tenants. */
  readonly isSchemaTenant: boolean;
  /** `tenant`: what names the schema `public` is rewritten to the tenant's. */
  readonly publicTo: 'tenant' | null;
}

export interface InspectedSql {
  readonly script: SqlScript;
  readonly notes: readonly SqlNote[];
}

/** One file is carried out in many tenants, and need not be read anew for each. */
const inspected = new WeakMap<SqlMigrationScript, InspectedSql>();

export function inspectSqlScript(source: SqlMigrationScript): InspectedSql {
  const known = inspected.get(source);
  if (known) return known;
  const script = parseSqlScript(source.sql);
  const result = { script, notes: inspectScript(script) };
  inspected.set(source, result);
  return result;
}

/**
 * Refuses what must not be sent, before anything is.
 * @throws TenancyError `TENANCY_MIGRATION_TRANSACTION_REFUSED`, `…_COMMAND_REFUSED`, `…_NEEDS_NO_TRANSACTION`, `…_SCHEMA_REFUSED`,
 * `…_EXTENSION_REFUSED`, `…_UNFINISHED`, naming file and line of the first of them.
 */
export function checkSqlScript(source: SqlMigrationScript, options: CheckOptions): void {
  const { script, notes } = inspectSqlScript(source);
  const place = (offset: number): { file: string; line: number } => ({ file: source.file, line: positionAt(source.sql, offset).line });
  const { unfinished } = script;
  for (const note of notes) {
    if (unfinished && note.offset > unfinished.offset) break;
    refuse(note, place(note.offset), source, options);
  }
  if (unfinished) throw new TenancyError('TENANCY_MIGRATION_UNFINISHED', { ...place(unfinished.offset), what: unfinished.what });
}

function refuse(
  note: SqlNote,
  place: { file: string; line: number },
  { isTransactional }: SqlMigrationScript,
  options: CheckOptions,
): void {
  const { isSchemaTenant, publicTo } = options;
  const isKeptOut = isSchemaTenant && publicTo === null;
  switch (note.type) {
    case 'transaction-control':
      throw new TenancyError('TENANCY_MIGRATION_TRANSACTION_REFUSED', { ...place, word: note.word });
    case 'meta-command':
      throw new TenancyError('TENANCY_MIGRATION_COMMAND_REFUSED', {
        ...place,
        what: `${note.word} is a command of psql and`,
        instead: 'take it out, or say the same in SQL',
      });
    case 'copy-stream':
      throw new TenancyError('TENANCY_MIGRATION_COMMAND_REFUSED', {
        ...place,
        what: 'COPY with the data of a client',
        instead: 'write INSERT … VALUES instead (pg_dump --inserts)',
      });
    case 'reach':
      refuseReach(note.reach, place, isSchemaTenant);
      return;
    case 'custom-escape':
      if (!isSchemaTenant) return;
      throw new TenancyError('TENANCY_MIGRATION_SCHEMA_REFUSED', {
        ...place,
        what: 'a name with UESCAPE, which may name a schema that',
        advice: 'write the name without U& and UESCAPE, in plain quotes',
      });
    case 'outside-transaction':
      if (isTransactional) throw new TenancyError('TENANCY_MIGRATION_NEEDS_NO_TRANSACTION', { ...place, what: note.what });
      return;
    case 'session-reset':
      if (isTransactional) {
        throw new TenancyError('TENANCY_MIGRATION_COMMAND_REFUSED', {
          ...place,
          what: `${note.word}, which would undo the settings of the migration itself,`,
          instead: 'reset settings one by one: RESET name',
        });
      }
      return;
    case 'search-path':
      if (isKeptOut) throw new TenancyError('TENANCY_MIGRATION_SCHEMA_REFUSED', { ...place, what: 'setting search_path' });
      return;
    case 'public-name':
    case 'public-schema':
      if (isKeptOut) throw new TenancyError('TENANCY_MIGRATION_SCHEMA_REFUSED', { ...place, what: 'the schema public' });
      return;
    case 'extension-change':
      if (isSchemaTenant) throw new TenancyError('TENANCY_MIGRATION_EXTENSION_REFUSED', { ...place, what: 'ALTER or DROP EXTENSION' });
      return;
    case 'extension':
    case 'extension-comment':
    case 'session-state':
    case 'session-setting':
      return;
  }
}

function refuseReach({ what, beyond }: Reach, place: { file: string; line: number }, isSchemaTenant: boolean): void {
  const takeOut = 'take it out; what concerns more than one tenant is done once, by hand, outside of their migrations';
  switch (beyond) {
    case 'neighbours':
      if (isSchemaTenant) throw new TenancyError('TENANCY_MIGRATION_SCHEMA_REFUSED', { ...place, what, advice: takeOut });
      return;
    case 'database':
      throw new TenancyError('TENANCY_MIGRATION_SCHEMA_REFUSED', { ...place, what, advice: takeOut });
    case 'history':
      throw new TenancyError('TENANCY_MIGRATION_SCHEMA_REFUSED', {
        ...place,
        what,
        advice: 'take it out: it holds the history of the migrations themselves',
      });
    case 'extension':
      if (!isSchemaTenant) return;
      throw new TenancyError('TENANCY_MIGRATION_EXTENSION_REFUSED', {
        ...place,
        what: 'CREATE EXTENSION within a block, function or string',
        effect: "put it into this tenant's schema, where dropping the tenant would take other tenants' columns along",
        advice: 'write it as a statement of its own: then it is carried out once, in the schema that all tenants share',
      });
  }
}
