import { TenancyError } from '../../errors.js';
import { settlesWithin, untilOverdue } from '../../util/abort.js';
import type { SessionOptions, TenantSession, TenantTarget } from '../driver.js';
import type { EngineContext } from './engine-context.js';

/** How long what was told to end may take to say so; then its place is given to the next. */
const ABORT_GRACE_MS = 3_000;

/** Lends a session of the client's, one of as many as the budget has, and sees to it that nothing of it runs on afterwards. */
export async function runSession<T>(
  context: EngineContext,
  target: TenantTarget,
  options: SessionOptions,
  use: (session: TenantSession) => Promise<T>,
): Promise<T> {
  const { signal } = options;
  const { createMigrationSession } = await import('./migrate/index.js');
  const giveBack = await context.loans.borrow(signal);
  const scope = context.watch.open({ limitMs: options.statementTimeoutMs });
  await context.connect().catch((error: unknown) => {
    giveBack();
    throw signal.aborted ? signal.reason : error;
  });
  const session = context.client.startSession();
  const onAbort = (): void => scope.startKilling();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const migrations = createMigrationSession({ context, target, options, session, scope });
    const db: TenantSession['db'] = {
      query: () =>
        Promise.reject(
          new TenancyError('TENANCY_QUERY_REFUSED', {
            tenant: target.marker.tenant,
            driver: 'mongodb-database',
            call: 'ctx.db.query()',
            instead: 'ctx.mongo()',
          }),
        ),
    };
    return await untilOverdue(
      scope.run(() => use({ ...migrations, db })),
      signal,
      ABORT_GRACE_MS,
    );
  } catch (error) {
    // What is thrown after an abort is only its echo.
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    scope.close();
    // A promise that nobody awaited, a transaction that nobody ended: their tenant may be somebody else's from now on. Before the session
    // is given back to the client, who would lend it again.
    await settlesWithin(scope.endAll(), ABORT_GRACE_MS);
    // It ends a transaction that is open still: on a connection that has gone silent it waits for ever.
    await settlesWithin(session.endSession(), ABORT_GRACE_MS);
    giveBack();
  }
}
