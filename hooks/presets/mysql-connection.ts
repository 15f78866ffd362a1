import type * as mysql from 'mysql2';
import type { HookContext } from '../../src/config/types.js';
import { mysqlConnectOptions, parseMysqlUrl } from '../../src/util/mysql-url.js';
import { loadPackage, type PackageRequest } from './load-package.js';

type Mysql = typeof mysql;

const CONNECT_TIMEOUT_MS = 30_000;

/** What is opened for one tenant on MySQL or MariaDB, so that an abort can cut it. */
export interface TenantMysql {
  readonly mysql: Mysql;
  /** Where the tenant is, in mysql2's words. */
  readonly config: mysql.ConnectionOptions;
  adopt(connection: { destroy(): void }): void;
  /** Cuts what is still open. */
  close(): void;
}

/** The project's own mysql2. */
export function loadMysql(root: string, request: Omit<PackageRequest, 'name'>): Promise<Mysql> {
  return loadPackage<Mysql>(root, { ...request, name: 'mysql2', versions: ['3.0.0', '4.0.0'] });
}

export function bindMysql(ctx: HookContext, library: Mysql): TenantMysql {
  const address = parseMysqlUrl(ctx.url);
  const open = new Set<{ destroy(): void }>();
  const cut = (): void => {
    for (const connection of open) connection.destroy();
    open.clear();
  };
  ctx.signal.addEventListener('abort', cut, { once: true });
  return {
    mysql: library,
    config: address === null ? { uri: ctx.url } : { ...mysqlConnectOptions(address), connectTimeout: CONNECT_TIMEOUT_MS },
    adopt: (connection) => {
      open.add(connection);
      if (ctx.signal.aborted) cut();
    },
    close: () => {
      ctx.signal.removeEventListener('abort', cut);
      cut();
    },
  };
}
