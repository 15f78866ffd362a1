import { TenancyError } from '../../errors.js';
import type { LoginCredential, TenantTarget } from '../driver.js';
import { isConnectionError } from './classify.js';
import type { EngineContext } from './engine-context.js';
import type { LoginHome } from './login-home.js';

/** What the login itself sees; `stranger`: a schema of another tenant's that it could use, if there is one. */
const LOOK = `
  SELECT current_user AS login, current_schema() AS schema,
         (SELECT n.nspname FROM pg_namespace n
           WHERE n.nspname <> $1 AND n.nspname !~ '^pg_' AND has_schema_privilege(n.oid, 'USAGE')
             AND starts_with(obj_description(n.oid, 'pg_namespace'), 'tenancy:{') LIMIT 1) AS stranger`;

/** On a connection of the cluster's budget, as the application will have it. */
export async function checkLogin(
  context: EngineContext,
  target: TenantTarget,
  { schema }: LoginHome,
  login: LoginCredential,
  url: string,
  signal: AbortSignal,
): Promise<void> {
  const refuse = (reason: string, cause?: unknown): TenancyError =>
    new TenancyError('TENANCY_LOGIN_UNVERIFIED', { tenant: target.marker.tenant, login: login.name, reason }, { cause });
  const loan = await context.budget.borrow({ url }, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    if (isConnectionError(error)) throw error;
    throw refuse(`it can't log in (${error instanceof Error ? error.message : String(error)})`, error);
  });
  try {
    const { rows } = await loan.connection.client.query<{ login: string; schema: string | null; stranger: string | null }>(LOOK, [
      schema ?? '',
    ]);
    const found = rows[0];
    if (found?.login !== login.name) throw refuse(`whoever logs in as it is ${found?.login ?? 'nobody'}`);
    if (schema !== null && found.schema !== schema)
      throw refuse(`it doesn't see its own schema ${schema} first, but ${found.schema ?? 'none'}`);
    if (schema !== null && found.stranger !== null) throw refuse(`it may use ${found.stranger}, which is another tenant's`);
  } finally {
    await loan.giveBack(false);
  }
}
