import { createHash } from 'node:crypto';
import type { LocalMigration } from '../../../migrations/migration.js';
import type { SqlStatement } from '../../../migrations/sql/script.js';
import type { MigrateContext, PreparedScript } from './context.js';

/** One statement of a script, and where it stands. */
export interface StatementPlace {
  readonly tenant: string;
  readonly migration: LocalMigration;
  readonly prepared: PreparedScript;
  readonly statement: SqlStatement;
  readonly index: number;
}

/** Opens the text of a statement that is sent alone, so that a later process finds it in pg_stat_activity. */
export function statementMark({ deps }: MigrateContext, { migration, index }: StatementPlace): string {
  const digest = createHash('sha256').update([deps.lockKey, migration.name, index].join('\n')).digest('hex');
  return `/* tenancy ${digest.slice(0, 24)} */`;
}
