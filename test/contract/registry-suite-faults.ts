import { describe, expect, test } from 'vitest';
import type { Registry } from '../../src/registry/registry.js';
import type { TcpProxyOptions } from '../rig/tcp-proxy.js';
import { change, lease, newTenant, register } from './registry-rig.js';

/** A place of its own for one test, which is taken away, with all that was opened, when the test is over. */
export interface FaultsPlace {
  readonly url: string;
  /** With two connections at most. */
  open(url: string, create?: boolean): Promise<Registry>;
  assertNoConnections(): Promise<void>;
}

export interface SqlFaultsPlace extends FaultsPlace {
  /** The types of the audit trail's entries that are about no tenant. */
  readOtherEvents(): Promise<readonly string[]>;
}

/** A proxy in front of the place. */
export interface FaultsProxy {
  readonly url: string;
  readonly peakConnectionCount: number;
  setBlackHole(isBlackHole: boolean): void;
}

/** One that counts requests, and is told of each. */
export interface JudgedProxy extends FaultsProxy {
  readonly requestCount: number;
  readonly connectionCount: number;
  /** Consulted for each request until it is put back to null. */
  judge: TcpProxyOptions['onRequest'] | null;
}

/** Of any store. */
export function testConnections(makePlace: () => Promise<FaultsPlace>, makeProxy: (url: string) => Promise<FaultsProxy>): void {
  test('there are never more than were asked for, and none after closing', async () => {
    const place = await makePlace();
    const proxy = await makeProxy(place.url);
    const registry = await place.open(proxy.url, true);
    await register(registry, 'acme');
    await Promise.all(Array.from({ length: 60 }, () => registry.findTenant('acme')));
    expect(proxy.peakConnectionCount).toBe(2);
    await registry.close();
    await place.assertNoConnections();
  });

  test('that went silent do not hold up closing', async () => {
    const place = await makePlace();
    const proxy = await makeProxy(place.url);
    const registry = await place.open(proxy.url, true);
    proxy.setBlackHole(true);
    const lost = registry.findTenant('acme');
    lost.catch(() => undefined);
    const start = performance.now();
    await registry.close();
    await expect(lost).rejects.toMatchObject({ code: 'TENANCY_REGISTRY_UNREACHABLE' });
    expect(performance.now() - start).toBeLessThan(4_000);
    await expect(registry.findTenant('acme')).rejects.toThrow('closed');
  });
}

/** Of stores that speak SQL. */
export function testSqlOpening(makePlace: () => Promise<FaultsPlace>, makeProxy: (url: string) => Promise<JudgedProxy>): void {
  test('opening one that is up to date takes one request', async () => {
    const place = await makePlace();
    await place.open(place.url, true);
    const proxy = await makeProxy(place.url);
    await place.open(proxy.url);
    expect(proxy).toMatchObject({ requestCount: 1, connectionCount: 1 });
  });
}

/** Of stores that speak SQL, and send each call in one message. */
export function describeSqlCuts(makePlace: () => Promise<SqlFaultsPlace>, makeProxy: (url: string) => Promise<JudgedProxy>): void {
  describe.each(['before', 'after'] as const)('a connection cut %s the statements were carried out', (phase) => {
    test('changes nothing about the answer, nor about what is kept', async () => {
      const place = await makePlace();
      await place.open(place.url, true);
      const proxy = await makeProxy(place.url);
      const registry = await place.open(proxy.url);
      const cut = async <T>(sql: RegExp, call: () => Promise<T>): Promise<T> => {
        const seen = cutOnce(proxy, phase, sql);
        const answer = await call();
        expect(seen.cuts, String(sql)).toBe(1);
        proxy.judge = null;
        return answer;
      };
      const write = /INSERT|UPDATE ten|UPDATE JSON|DELETE/;

      expect(await cut(write, () => registry.registerTenants([newTenant('acme')]))).toMatchObject([{ isNew: true }]);
      const fence = await cut(write, () => lease(registry, 'acme', 'me'));
      expect(await cut(write, () => registry.renewLeases('me', 15_000))).toEqual(['acme']);
      const activated = await cut(write, () =>
        registry.updateTenants([change('acme', fence, { to: 'active', event: 'tenant.activated' })]),
      );
      expect(activated).toMatchObject([{ id: 'acme', status: 'active' }]);
      const protectedNow = await cut(write, () =>
        registry.updateTenants([change('acme', null, { from: ['active'], set: { isProtected: true }, event: 'tenant.protected' })]),
      );
      expect(protectedNow).toMatchObject([{ isProtected: true }]);

      const step = { operationId: 'op', tenant: 'acme', step: 'create', state: 'started', error: null, operation: 'provision' } as const;
      await cut(write, () => registry.recordSteps([step]));
      expect(await registry.readSteps('op')).toMatchObject([{ attempt: 1 }]);
      await cut(write, () =>
        registry.createRun({ id: 'run', command: 'migrate', owner: 'me', host: 'h', target: null, options: {}, selected: 1 }),
      );
      const outcome = { tenant: 'acme', cluster: 'main', outcome: 'applied', attempts: 1, from: null, to: '1', ms: 1 } as const;
      const version = { schemaVersion: '1', migrationsHash: 'h' };
      await cut(write, () => registry.recordOutcomes('run', [{ outcome, owner: 'me', fence, version, lastError: null }]));
      expect(await registry.findTenant('acme')).toMatchObject({ schemaVersion: '1', lease: null });

      await lease(registry, 'acme', 'me');
      expect(await cut(write, () => registry.breakLease('acme'))).toMatchObject({ owner: 'me', since: expect.any(Date) });
      expect(await cut(/INSERT INTO tenancy.clusters/, () => registry.checkCluster('main', 'x', { accept: true }))).toMatchObject({
        status: phase === 'before' ? 'new' : 'same',
      });
      const counts = { applied: 1 } as never;
      await cut(write, () => registry.finishRun('run', { status: 'finished', counts, exitCode: 0, notStarted: 0, stopped: null }));
      await register(registry, 'other');
      const otherFence = await lease(registry, 'other', 'me');
      expect(await cut(write, () => registry.forgetTenant('other', otherFence))).toBe(true);

      const events = await registry.listEvents('acme', { after: 0, limit: 50 });
      expect(events.map(({ type }) => type)).toEqual([
        'tenant.registered',
        'tenant.activated',
        'tenant.protected',
        'tenant.settled',
        'lease.broken',
      ]);
      expect(await place.readOtherEvents()).toEqual(['run.started', 'cluster.accepted', 'run.finished']);
    });
  });
}

/** Cuts the connection once at the next request that writes what the pattern tells, before or after it is carried out. */
function cutOnce(proxy: JudgedProxy, phase: 'before' | 'after', sql: RegExp): { cuts: number } {
  const seen = { cuts: 0 };
  proxy.judge = (request) => {
    if (seen.cuts > 0 || request.phase !== phase || !sql.test(request.sql)) return 'forward';
    seen.cuts++;
    return 'drop';
  };
  return seen;
}
