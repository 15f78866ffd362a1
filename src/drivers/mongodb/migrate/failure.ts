import { isTenancyError, TenancyError } from '../../../errors.js';
import { adviceWithoutRoom } from '../../out-of-room.js';
import { classifyMongodbError, codeOf, isConnectionError } from '../classify.js';
import type { MigrateContext } from './context.js';

export interface FailedModule {
  readonly tenant: string;
  readonly migration: string;
  readonly file: string;
  readonly thrown: unknown;
}

/** What a module threw, as the failure of its migration. An error that ends the connection stays what it is: it says nothing about the module. */
export function moduleFailure({ scope }: MigrateContext, { tenant, migration, file, thrown }: FailedModule): unknown {
  const { expired, limitMs } = scope;
  if (expired !== null && limitMs !== null) {
    return new TenancyError('TENANCY_STATEMENT_TIMED_OUT', { tenant, migration, file, limitMs, statement: expired }, { cause: thrown });
  }
  if (isConnectionError(thrown)) return thrown;
  // It could not be loaded, or exports nothing to run: that is a sentence already.
  if (isTenancyError(thrown, 'TENANCY_MIGRATION_MODULE_REJECTED')) return thrown;
  const advice =
    isTenancyError(thrown) && thrown.hint !== undefined ? { advice: thrown.hint } : adviceWithoutRoom(classifyMongodbError(thrown));
  return new TenancyError('TENANCY_MIGRATION_FAILED', { tenant, migration, file, reason: explain(thrown), ...advice }, { cause: thrown });
}

/** JavaScript lets anything be thrown. */
function explain(thrown: unknown): string {
  if (isTenancyError(thrown)) return thrown.message;
  if (!(thrown instanceof Error)) {
    return `it threw ${typeof thrown === 'string' ? JSON.stringify(thrown) : String(thrown)}, which is not an Error`;
  }
  const code = codeOf(thrown);
  if (code === null) return `${thrown.name}: ${thrown.message}`;
  const { codeName } = thrown as { codeName?: unknown };
  return `${thrown.message} (${typeof codeName === 'string' ? `${codeName}, ` : ''}code ${code})`;
}
