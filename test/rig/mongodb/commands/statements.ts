import { CommandError } from '../errors.js';
import type { Operation } from '../operation.js';
import { type Document, isNumber, numberOr } from '../values.js';
import { collectionName } from './command.js';

/** What one statement did; that of a retryable write is kept, and given again when it is sent again. */
export type Result = Document & { n: number; nModified?: number; upserted?: { _id: unknown } };

/** Carries out the statements of an insert, an update or a delete, and counts. */
export async function runStatements(operation: Operation, field: string, run: (statement: Document) => Promise<Result>): Promise<Document> {
  const { command, done } = operation;
  const statements = command[field];
  if (!Array.isArray(statements) || statements.length === 0 || statements.length > 100_000)
    throw new CommandError(72, 'Write batch sizes must be between 1 and 100000.');
  collectionName(operation);
  const results: { index: number; result: Result }[] = [];
  const writeErrors: Document[] = [];
  const retried: number[] = [];
  for (const [index, statement] of (statements as Document[]).entries()) {
    const number = statementNumber(command, index);
    try {
      const before = done?.get(number) as Result | undefined;
      if (before !== undefined) retried.push(number);
      const result = before ?? (await run(statement));
      done?.set(number, result);
      results.push({ index, result });
    } catch (error) {
      // These end the command, not the statement.
      if (!(error instanceof CommandError) || [50, 112, 279, 11600, 11601].includes(error.code)) throw error;
      writeErrors.push({ index, code: error.code, errmsg: error.message, ...error.extra });
      if (operation.transaction !== null) operation.transaction.abort();
      if (operation.transaction !== null || command['ordered'] !== false) break;
    }
  }
  const sum = (name: string): number => results.reduce((total, { result }) => total + Number(result[name] ?? 0), 0);
  const upserted = results.flatMap(({ index, result }) => (result.upserted === undefined ? [] : [{ index, ...result.upserted }]));
  return {
    n: sum('n'),
    ...(operation.name === 'update' ? { nModified: sum('nModified') } : {}),
    ...(upserted.length > 0 ? { upserted } : {}),
    ...(writeErrors.length > 0 ? { writeErrors } : {}),
    ...(retried.length > 0 ? { retriedStmtIds: retried } : {}),
  };
}

function statementNumber(command: Document, index: number): number {
  const given = command['stmtIds'];
  if (Array.isArray(given)) return numberOr(given[index], index);
  return isNumber(command['stmtId']) ? numberOr(command['stmtId'], 0) + index : index;
}
