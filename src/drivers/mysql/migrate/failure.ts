import { TenancyError, type TenancyErrorDetails } from '../../../errors.js';
import { excerptStatement, hideSecrets } from '../../../migrations/sql/excerpt.js';
import { positionAt } from '../../../migrations/sql/position.js';
import type { SqlStatement } from '../../../migrations/sql/script.js';
import type { SessionOptions } from '../../driver.js';
import { adviceWithoutRoom } from '../../out-of-room.js';
import { classifyMysqlError, numberOf } from '../classify.js';

type Limits = Pick<SessionOptions, 'lockTimeoutMs' | 'statementTimeoutMs'>;

/** An error of one statement. Not one that ends the connection: that says nothing about the migration. */
export function isStatementError(error: unknown): error is Error {
  return numberOf(error) > 0 && classifyMysqlError(error) !== 'connection';
}

export interface FailedScript {
  readonly tenant: string;
  readonly migration: string;
  readonly source: { readonly file: string; readonly sql: string };
  /** Null: none of the script's own, such as its history row. */
  readonly statement: SqlStatement | null;
  /** It may have kept a part of its work before it failed. */
  readonly keepsWork: boolean;
  readonly limits: Limits;
  readonly error: Error;
}

export function createScriptFailure({ tenant, migration, source, statement, keepsWork, limits, error }: FailedScript): TenancyError {
  const offset = statement === null ? null : offsetOf(source.sql, statement, error);
  const position = statement === null ? null : positionAt(source.sql, offset ?? statement.start);
  return createFailure(
    {
      tenant,
      migration,
      reason:
        explain(error) +
        (statement === null ? ', at the end of the migration' : '') +
        (keepsWork ? '; what it had done before may be kept' : ''),
      file: source.file,
      ...(position === null ? {} : { line: position.line, column: position.column }),
      ...(statement === null ? {} : { statement: excerptStatement(source.sql, statement, offset) }),
      ...(keepsWork ? { advice: `look into the tenant, then \`tenancy tenant repair ${tenant} --applied\` or \`--rerun\`` } : {}),
    },
    limits,
    error,
  );
}

export function createModuleFailure(
  details: TenancyErrorDetails<'TENANCY_MIGRATION_FAILED'>,
  limits: Limits,
  cause: unknown,
): TenancyError {
  return createFailure(details, limits, cause);
}

/** Named after the limit of ours that ended it, where one did: then the file isn't what has to be mended. */
function createFailure(details: TenancyErrorDetails<'TENANCY_MIGRATION_FAILED'>, limits: Limits, cause: unknown): TenancyError {
  const type = classifyMysqlError(cause);
  if (type === 'timeout' && limits.statementTimeoutMs !== null)
    return new TenancyError('TENANCY_STATEMENT_TIMED_OUT', { ...details, limitMs: limits.statementTimeoutMs }, { cause });
  // NOWAIT (3572) is the script's own wish.
  if (numberOf(cause) === 1205) return new TenancyError('TENANCY_LOCK_TIMED_OUT', { ...details, limitMs: limits.lockTimeoutMs }, { cause });
  return new TenancyError('TENANCY_MIGRATION_FAILED', { ...adviceWithoutRoom(type), ...details }, { cause });
}

/** The server's words and its number, under which people look things up. Not mysql2's name for it, which is MySQL's on a MariaDB too. */
export function explain(error: Error): string {
  const { sqlState } = error as { sqlState?: unknown };
  return hideSecrets(`${error.message} (error ${numberOf(error)}, SQLSTATE ${String(sqlState ?? '?')})`);
}

const NEAR = /near '([^]*)' at line (\d+)$/;

/** `near '…' at line 3`: the line of the statement, and the text from where the parser gave up. */
function offsetOf(sql: string, statement: SqlStatement, error: Error): number | null {
  const [, near, line] = NEAR.exec(error.message) ?? [];
  if (near === undefined) return null;
  const text = sql.slice(statement.start, statement.end);
  if (near === '') return statement.end;
  let lineStart = 0;
  for (let left = Number(line) - 1; left > 0; left--) {
    const found = text.indexOf('\n', lineStart);
    if (found < 0) break;
    lineStart = found + 1;
  }
  const at = text.indexOf(near, lineStart);
  return at < 0 ? null : statement.start + at;
}
