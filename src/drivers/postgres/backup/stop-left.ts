import type { TenantTarget } from '../../driver.js';
import { type EngineContext, withClient } from '../engine-context.js';
import { loginName } from './lend-login.js';
import { scratchDatabase } from './rename-in-database.js';

/** By their names, which both the tool and its session have. The tool logs in as the cluster's login where that is no superuser. */
const STOP = `
  SELECT (SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
           WHERE application_name = ANY ($1) AND (usename = ANY ($1) OR usename = current_user) AND pid <> pg_backend_pid()) > 0 AS was_running,
         EXISTS (SELECT FROM pg_roles WHERE rolname = ANY ($1)) AS has_role,
         EXISTS (SELECT FROM pg_database WHERE datname = $2) AS has_database`;

/** One round trip, whatever there is. */
export async function stopLeft(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<boolean> {
  return withClient(context, null, signal, async (client) => {
    const names = [loginName(target, 'dump'), loginName(target, 'load')];
    const { rows } = await client.query<{ was_running: boolean; has_role: boolean; has_database: boolean }>(STOP, [
      names,
      scratchDatabase(target),
    ]);
    const [left] = rows;
    return left !== undefined && (left.was_running || left.has_role || left.has_database);
  });
}
