import { afterAll, beforeAll } from 'vitest';
import type { ClusterEngine, SessionOptions, TenantDriver, TenantSession, TenantTarget } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import type { LocalMigration } from '../../src/migrations/migration.js';
import { createTestMysql, type TestMysql } from '../rig/mysql.js';
import { sqlMigration } from './migrate-rig.js';

export interface MysqlTenants {
  /** Only within tests and hooks. */
  readonly database: TestMysql;
  readonly engine: ClusterEngine;
  readonly driver: TenantDriver;
  newTenant(): Promise<TenantTarget>;
  withSession<T>(target: TenantTarget, use: (session: TenantSession) => Promise<T>, options?: Partial<SessionOptions>): Promise<T>;
  /** Rows of a query in the tenant, past the driver. */
  query<Row = Record<string, unknown>>(target: TenantTarget, sql: string): Promise<Row[]>;
}

/** Within a `describe`: homes on the MariaDB of the tests, made by the driver and dropped after the last test. */
export function useMysqlTenants(): MysqlTenants {
  let database: TestMysql | undefined;
  let engine: ClusterEngine | undefined;
  let tenants = 0;
  const made = <T>(thing: T | undefined): T => {
    if (thing === undefined) throw new Error('the database is there within tests only');
    return thing;
  };
  beforeAll(async () => {
    database = await createTestMysql();
    const url = new URL(database.url);
    url.pathname = '/';
    engine = await openClusterEngine({
      cluster: 'main',
      url: url.href,
      maxConnections: 4,
      extensionsSchema: 'extensions',
      applicationName: 'contract',
    });
  });
  afterAll(async () => {
    await engine?.close();
    await database?.drop();
  });
  const driver = (): TenantDriver => made(engine).driver('mysql-database');
  return {
    get database() {
      return made(database);
    },
    get engine() {
      return made(engine);
    },
    get driver() {
      return driver();
    },
    newTenant: async () => {
      const target = {
        name: `${made(database).name}_${++tenants}`,
        marker: { tenant: 'acme', registry: 'registry-1', operation: `operation-${tenants}` },
      };
      await driver().create(target, new AbortController().signal);
      return target;
    },
    withSession: (target, use, options) =>
      driver().withSession(
        target,
        { fence: 1, runId: 'run-1', lockTimeoutMs: 2_000, statementTimeoutMs: null, signal: new AbortController().signal, ...options },
        use,
      ),
    query: (target, sql) => made(database).query(sql.replaceAll('@@', `\`${target.name}\`.`)),
  };
}

/** Makes a table with a row, and counts how often it was run: a second time would fail, or show. */
export function countedRows(name: string): LocalMigration {
  return sqlMigration(
    name,
    `CREATE TABLE IF NOT EXISTS counts (name varchar(20), n int);\nCREATE TABLE t_${name} (id int);\nINSERT INTO counts VALUES ('${name}', 1);\n`,
  );
}
