import { DatabaseError } from 'pg';
import { TenancyError, type TenancyErrorDetails } from '../../../errors.js';
import { excerptStatement, hideSecrets } from '../../../migrations/sql/excerpt.js';
import { positionAt } from '../../../migrations/sql/position.js';
import type { SqlStatement } from '../../../migrations/sql/script.js';
import type { SessionOptions } from '../../driver.js';
import { adviceWithoutRoom } from '../../out-of-room.js';
import { classifyPostgresError } from '../classify.js';
import type { PreparedScript } from './context.js';

/** An error of one statement. Not one that ends the connection: that says nothing about the migration. */
export function isStatementError(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.severity !== 'FATAL' && error.severity !== 'PANIC' && !/^(08|57P)/.test(error.code ?? '');
}

export interface FailedScript {
  readonly tenant: string;
  readonly migration: string;
  readonly prepared: PreparedScript;
  /** Null: none of the script's own, such as the COMMIT. */
  readonly statement: SqlStatement | null;
  /** UTF-16 offset into the text that was sent; null where the server gave no position. */
  readonly sentOffset: number | null;
  /** It had committed a part of its work before it failed. */
  readonly keepsWork?: boolean;
  readonly limits: Limits;
  readonly error: DatabaseError;
}

type Limits = Pick<SessionOptions, 'lockTimeoutMs' | 'statementTimeoutMs'>;

export function createScriptFailure({
  tenant,
  migration,
  prepared,
  statement,
  sentOffset,
  keepsWork = false,
  limits,
  error,
}: FailedScript): TenancyError {
  const { source } = prepared;
  const offset = sentOffset === null ? null : prepared.toSource(sentOffset);
  const shown = statement ?? (offset === null ? null : (statementAt(prepared, offset) ?? null));
  const where = offset ?? shown?.start ?? null;
  const advice = keepsWork
    ? `look into the tenant, then \`tenancy tenant repair ${tenant} --applied\` or \`--rerun\``
    : adviceOn(error, source);
  const position = where === null ? null : positionAt(source.sql, where);
  return createFailure(
    {
      tenant,
      migration,
      reason:
        explain(error) +
        (shown === null && offset === null ? ', at the end of the migration' : '') +
        (keepsWork ? '; what it had committed before is kept' : ''),
      file: source.file,
      ...(position === null ? {} : { line: position.line, column: position.column }),
      ...(shown === null ? {} : { statement: excerptStatement(source.sql, shown, offset) }),
      ...(advice === null ? {} : { advice }),
    },
    limits,
    error,
  );
}

/** Named after the limit of ours that ended it, where one did: then the file isn't what has to be mended. */
function createFailure(details: TenancyErrorDetails<'TENANCY_MIGRATION_FAILED'>, limits: Limits, cause: unknown): TenancyError {
  const code = cause instanceof DatabaseError ? cause.code : undefined;
  const message = cause instanceof DatabaseError ? cause.message : '';
  // Others can cancel a statement too, and NOWAIT is the script's own wish; a server that speaks another language is given the benefit.
  if (code === '57014' && limits.statementTimeoutMs !== null && !message.includes('user request'))
    return new TenancyError('TENANCY_STATEMENT_TIMED_OUT', { ...details, limitMs: limits.statementTimeoutMs }, { cause });
  if (code === '55P03' && !message.includes('could not obtain lock'))
    return new TenancyError('TENANCY_LOCK_TIMED_OUT', { ...details, limitMs: limits.lockTimeoutMs }, { cause });
  return new TenancyError('TENANCY_MIGRATION_FAILED', { ...adviceWithoutRoom(classifyPostgresError(cause)), ...details }, { cause });
}

/** 2D000, invalid_transaction_termination: a procedure or block commits where it can't. */
function adviceOn({ code }: DatabaseError, { isTransactional, file }: PreparedScript['source']): string | null {
  if (code !== '2D000') return null;
  return isTransactional
    ? `make \`-- tenancy: no-transaction\` the first line of ${file}, best with this statement alone in it`
    : 'send the CALL or DO that commits by itself, to the server and not to a pooler, with no SET, SECURITY DEFINER or EXCEPTION around its COMMIT';
}

export function createModuleFailure(options: {
  tenant: string;
  migration: string;
  file: string;
  reason: string;
  limits: Limits;
  cause: unknown;
}): TenancyError {
  const { tenant, migration, file, reason, limits, cause } = options;
  return createFailure({ tenant, migration, file, reason }, limits, cause);
}

/** The server's words, with what it says beside them. */
export function explain(error: DatabaseError): string {
  const parts = [`${error.message} (SQLSTATE ${error.code ?? '?'})`];
  if (error.detail) parts.push(`detail: ${error.detail}`);
  if (error.hint) parts.push(`hint: ${error.hint}`);
  if (error.where) parts.push(`where: ${error.where.split('\n')[0] ?? ''}`);
  // PL/pgSQL quotes the statement that it ran.
  return hideSecrets(parts.join('; '));
}

function statementAt({ script }: PreparedScript, offset: number): SqlStatement | undefined {
  return script.statements.findLast(({ start }) => start <= offset) ?? script.statements[0];
}
