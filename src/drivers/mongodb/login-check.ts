import type { Document } from 'mongodb';
import { TenancyError } from '../../errors.js';
import { loadMongodb } from '../../util/load-mongodb.js';
import { withMongodbLogin } from '../../util/mongodb-url.js';
import type { LoginCredential, TenantTarget } from '../driver.js';
import { isConnectionError } from './classify.js';
import type { EngineContext } from './engine-context.js';
import { HOME_COLLECTION } from './home.js';

/** Unlike the admin's, this client is for a look: what isn't there at once is no login. */
const SELECTION_TIMEOUT_MS = 10_000;

/** In the place of one session of the cluster's budget, as the application will log in. */
export async function checkLogin(context: EngineContext, target: TenantTarget, login: LoginCredential, signal: AbortSignal): Promise<void> {
  const refuse = (reason: string, cause?: unknown): TenancyError =>
    new TenancyError('TENANCY_LOGIN_UNVERIFIED', { tenant: target.marker.tenant, login: login.name, reason }, { cause });
  const { MongoClient } = loadMongodb('isolation');
  const giveBack = await context.loans.borrow(signal);
  const client = new MongoClient(withMongodbLogin(context.url, target.name, login), {
    maxPoolSize: 1,
    serverMonitoringMode: 'poll',
    serverSelectionTimeoutMS: SELECTION_TIMEOUT_MS,
  });
  try {
    const db = client.db(target.name);
    const status: Document = await db.command({ connectionStatus: 1 });
    const roles = (status['authInfo']?.authenticatedUserRoles ?? []) as readonly Document[];
    const stranger = roles.find((role) => role['db'] !== target.name);
    if (stranger !== undefined) throw refuse(`it has the role ${String(stranger['role'])} on ${String(stranger['db'])}`);
    if ((await db.collection(HOME_COLLECTION).findOne({}, { projection: { _id: 1 } })) === null) {
      throw refuse(`it doesn't see its own database ${target.name}`);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TenancyError || isConnectionError(error)) throw error;
    throw refuse(`it can't log in or read (${error instanceof Error ? error.message : String(error)})`, error);
  } finally {
    await client.close();
    giveBack();
  }
}
