import { setMaxListeners } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ClusterEngine, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import { loginNames } from '../../src/drivers/login-names.js';
import { createTestMysql, queryMysql, type TestMysql } from '../rig/mysql.js';
import { createMysqlProxy } from '../rig/mysql-proxy.js';
import { suiteOn } from '../rig/require.js';
import type { RequestVerdict } from '../rig/tcp-proxy.js';

const never = new AbortController().signal;
// All that stand still at once have it.
setMaxListeners(0, never);

type Work = (driver: TenantDriver, target: TenantTarget) => Promise<unknown>;

suiteOn('mariadb')('a process that stood still at any of its requests to MariaDB', {}, () => {
  let database: TestMysql;
  let engine: ClusterEngine;
  let driver: TenantDriver;
  let url: string;
  let homes = 0;
  const openEngine = (to: string, maxConnections: number): Promise<ClusterEngine> =>
    openClusterEngine({ cluster: 'main', url: to, maxConnections, extensionsSchema: 'extensions', applicationName: 'contract' });

  beforeAll(async () => {
    database = await createTestMysql();
    url = new URL('/', database.url).href;
    // Each of those that take over waits for a while, with a connection of its own.
    engine = await openEngine(url, 40);
    driver = engine.driver('mysql-database');
  });
  afterAll(async () => {
    await engine.close();
    await database.drop();
  });

  const appOf = ({ name }: TenantTarget): string => `${name}_app`;
  const loginOf = ({ marker }: TenantTarget): string => loginNames(marker).logins[0];

  function newTarget(): TenantTarget {
    const name = `${database.name}_${++homes}`;
    return { name, marker: { tenant: 'acme', registry: 'registry-1', operation: `first-of-${name}` } };
  }

  /** Each life of it has the same names, as an application makes them, and a login of its own. */
  async function create(target: TenantTarget): Promise<TenantTarget> {
    await driver.create(target, never);
    await queryMysql(url, `CREATE TABLE \`${target.name}\`.t SELECT '${target.marker.operation}' AS life`);
    await queryMysql(url, `CREATE USER IF NOT EXISTS '${appOf(target)}'@'%'`);
    await queryMysql(url, `GRANT SELECT, INSERT ON \`${target.name.replaceAll('_', '\\_')}\`.* TO '${appOf(target)}'@'%'`);
    await driver.logins?.ensure(target, { name: loginOf(target), password: 'x' }, never);
    return target;
  }

  /** All that there is to be taken from it, or given to somebody. */
  async function look(target: TenantTarget): Promise<string> {
    const { name } = target;
    const grants: unknown[] = [];
    for (const user of [appOf(target), loginOf(target)]) grants.push(await queryMysql(url, `SHOW GRANTS FOR '${user}'@'%'`));
    const rows = await queryMysql(url, `SELECT * FROM \`${name}\`.t`);
    const marks = await queryMysql(url, `SELECT * FROM \`${name}\`._tenancy_state`);
    const ledger = await queryMysql(url, 'SELECT * FROM _tenancy.homes WHERE name = ?', [name]);
    const accounts = await queryMysql(url, 'SELECT * FROM _tenancy.accounts WHERE home = ?', [name]);
    return JSON.stringify({ grants, rows, marks, ledger, accounts });
  }

  /** Null where it was done before it came to that request; else what there was before it woke up and after. */
  async function standStill(
    at: number,
    work: Work,
    meanwhile: (target: TenantTarget) => Promise<TenantTarget>,
  ): Promise<{ readonly at: number; readonly sql: string; readonly before: string; readonly after: string } | null> {
    const target = await create(newTarget());
    let found = target;
    let asleep: Promise<string> | null = null;
    let sql = '';
    const proxy = await createMysqlProxy(url, {
      onRequest: async (request): Promise<RequestVerdict> => {
        if (request.number === at && request.phase === 'before') {
          sql = request.sql;
          asleep = meanwhile(target).then((later) => {
            found = later;
            return look(later);
          });
        }
        await asleep;
        return 'forward';
      },
    });
    const own = await openEngine(proxy.url, 2);
    try {
      // It may be refused, or find it done: what counts is what it changes.
      await work(own.driver('mysql-database'), target).catch(() => undefined);
      return asleep === null ? null : { at, sql, before: await asleep, after: await look(found) };
    } finally {
      await own.close();
      await proxy.close();
      await driver.logins?.drop(found, never);
    }
  }

  /** At each of them at once: whoever takes over waits for seconds until it is plain that the other stands still. */
  async function tryEach(work: Work, meanwhile: (target: TenantTarget) => Promise<TenantTarget>): Promise<readonly unknown[]> {
    const proxy = await createMysqlProxy(url);
    const counting = await openEngine(proxy.url, 2);
    const target = await create(newTarget());
    await work(counting.driver('mysql-database'), target);
    const { requestCount } = proxy;
    await counting.close();
    await proxy.close();
    const points = Array.from({ length: requestCount }, (_, index) => index + 1);
    const zombies = await Promise.all(points.map((at) => standStill(at, work, meanwhile)));
    expect(zombies.filter((zombie) => zombie !== null).length).toBeGreaterThanOrEqual(8);
    return zombies.filter((zombie) => zombie !== null && zombie.before !== zombie.after);
  }

  /** Another finishes what was begun, and the name is given to the next. */
  async function nextLife(target: TenantTarget): Promise<TenantTarget> {
    await driver.drop(target, never);
    await driver.logins?.drop(target, never);
    await driver.sweepLeft?.(target, never);
    return create({ ...target, marker: { ...target.marker, operation: `next-of-${target.name}` } });
  }

  /** Another retains it as well, and somebody has it back. */
  async function undelete(target: TenantTarget): Promise<TenantTarget> {
    await driver.retain(target, 'op-1', never);
    await driver.unretain(target, { operation: 'op-1', isOver: true }, never);
    await driver.restoreAccess(target, never);
    return target;
  }

  // All else is under the same lock, and each test waits for it.
  it('by a drop, and wakes up in the next life of the name, has changed nothing of it', { timeout: 120_000 }, async () => {
    expect(await tryEach((zombie, target) => zombie.drop(target, never), nextLife)).toEqual([]);
  });

  it('by a retain, and wakes up when the tenant has been undeleted, leaves it as it is', { timeout: 120_000 }, async () => {
    expect(await tryEach((zombie, target) => zombie.retain(target, 'op-1', never), undelete)).toEqual([]);
  });
});
