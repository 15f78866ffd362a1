import { checkSqlScript, inspectSqlScript, type SqlMigrationScript } from '../../../migrations/sql/check.js';
import type { SqlNote } from '../../../migrations/sql/inspect.js';
import { type RewrittenSql, rewriteForTenant } from '../../../migrations/sql/rewrite.js';
import type { SqlScript } from '../../../migrations/sql/script.js';
import type { MigrationSessionDeps } from '../session-deps.js';
import { createHistorySql, type HistorySql } from './history-sql.js';
import { createMirrorSql, type MirrorSql } from './mirror-sql.js';

/** What the parts of one session share. */
export interface MigrateContext {
  readonly deps: MigrationSessionDeps;
  readonly sql: HistorySql;
  readonly mirrorSql: MirrorSql;
  /** Null in a database of the tenant's own. */
  readonly schema: string | null;
}

export function createMigrateContext(deps: MigrationSessionDeps): MigrateContext {
  const { options, ...rest } = deps;
  const schema = deps.searchPath === null ? null : deps.historySchema;
  return { deps, sql: createHistorySql({ ...rest, ...options }), mirrorSql: createMirrorSql(schema ?? 'public'), schema };
}

/** A script as it is sent to this tenant, with the way back to the file. */
export interface PreparedScript extends RewrittenSql {
  readonly source: SqlMigrationScript;
  readonly script: SqlScript;
  readonly notes: readonly SqlNote[];
}

/** @throws TenancyError where the script holds what must not be sent; see `checkSqlScript`. */
export function prepareScript({ deps, schema }: MigrateContext, source: SqlMigrationScript, publicTo: 'tenant' | null): PreparedScript {
  checkSqlScript(source, { isSchemaTenant: schema !== null, publicTo });
  const { script, notes } = inspectSqlScript(source);
  const target = { schema, extensionsSchema: deps.extensionsSchema, publicTo, isTransactional: source.isTransactional };
  return { source, script, notes, ...rewriteForTenant(script, notes, target) };
}
