import { TenancyError } from '../../errors.js';
import { parseMysqlUrl, withMysqlLogin } from '../../util/mysql-url.js';
import type { LoginCredential, TenantTarget } from '../driver.js';
import { classifyMysqlError } from './classify.js';
import { type EngineContext, readRow, readRows } from './engine-context.js';

/** The server shows of its catalogue what a login has rights on, and nothing else. */
const HOMES = `SELECT DISTINCT TABLE_SCHEMA AS name FROM information_schema.TABLES WHERE TABLE_NAME = '_tenancy_state'`;

/** On a connection of the cluster's budget, as the application will have it. */
export async function checkLogin(context: EngineContext, target: TenantTarget, login: LoginCredential, signal: AbortSignal): Promise<void> {
  const refuse = (reason: string, cause?: unknown): TenancyError =>
    new TenancyError('TENANCY_LOGIN_UNVERIFIED', { tenant: target.marker.tenant, login: login.name, reason }, { cause });
  const address = parseMysqlUrl(withMysqlLogin(context.url, target.name, login));
  if (address === null) throw refuse('its URL is not one');
  const loan = await context.budget.borrowAs(address, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    if (classifyMysqlError(error) === 'connection') throw error;
    throw refuse(`it can't log in (${error instanceof Error ? error.message : String(error)})`, error);
  });
  try {
    const { connection } = loan;
    const row = await readRow<{ login: string }>(connection, 'SELECT CURRENT_USER() AS login');
    if (row?.login !== `${login.name}@%`) throw refuse(`whoever logs in as it is ${row?.login ?? 'nobody'}`);
    const seen = (await readRows<{ name: string }>(connection, HOMES)).map(({ name }) => name);
    const isOwn = (name: string): boolean => name.toLowerCase() === target.name.toLowerCase();
    if (!seen.some(isOwn)) throw refuse(`it doesn't see its own database ${target.name}`);
    const stranger = seen.find((name) => !isOwn(name));
    if (stranger !== undefined) throw refuse(`it may use ${stranger}, which is another tenant's`);
  } finally {
    await loan.giveBack(false);
  }
}
