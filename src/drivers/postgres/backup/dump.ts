import type { BackupWork, TenantTarget } from '../../driver.js';
import { databaseOf } from '../cluster-url.js';
import type { EngineContext } from '../engine-context.js';
import { quoteName } from '../quote.js';
import { applicationName, withLogin } from './lend-login.js';
import { libpqEnvironment } from './libpq-environment.js';
import { runTool } from './run-tool.js';

/** What a dump is of: one schema of a database, or all of it. */
export interface DumpScope {
  /** Null: the one that the cluster's URL names. */
  readonly database: string | null;
  readonly schema: string | null;
}

/** One snapshot of it, as an archive in pg_dump's own format. */
export async function dumpArchive(
  context: EngineContext,
  target: TenantTarget,
  scope: DumpScope,
  path: string,
  work: BackupWork,
): Promise<void> {
  const { database } = scope;
  await withLogin(context, target, { purpose: 'dump', database, grants: () => [], signal: work.signal }, async (login) => {
    const environment = libpqEnvironment(context.url, {
      database: database ?? databaseOf(context.url),
      login,
      applicationName: applicationName(target, 'dump'),
    });
    // In quotes, so that it is a name and not a pattern.
    const only = scope.schema === null ? [] : ['--schema', quoteName(scope.schema), '--strict-names'];
    const args = [
      '--format=custom',
      '--no-password',
      '--no-subscriptions',
      `--lock-wait-timeout=${work.lockTimeoutMs}`,
      ...only,
      '--file',
      path,
    ];
    await runTool('pg_dump', args, work, environment);
  });
}
