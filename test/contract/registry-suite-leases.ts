import { describe, expect, test } from 'vitest';
import { activate, change, fulfilled, lease, newTenant, race, register, type Scene, uniqueId, untilPast } from './registry-rig.js';

export function describeLeases(scene: Scene): void {
  describe('leases', () => {
    test('are granted to one owner, held against others, and missing for an unknown id', async () => {
      const { registry } = scene();
      const [id, owner] = [uniqueId('lease'), uniqueId('owner')];
      await register(registry, id);
      const [grant, missing] = await registry.acquireLeases([id, 'not-there'], { owner, host: 'host-1', ttlMs: 15_000 });
      expect(missing).toEqual({ id: 'not-there', status: 'missing' });
      expect(grant).toMatchObject({ id, status: 'granted', tenant: { id, lease: { owner, host: 'host-1', isExpired: false } } });
      const [held] = await registry.acquireLeases([id], { owner: 'other', host: 'host-2', ttlMs: 15_000 });
      expect(held).toMatchObject({ id, status: 'held', owner, host: 'host-1' });
      if (held?.status !== 'held') throw new Error('not held');
      expect(held.expiresInMs).toBeGreaterThan(10_000);
      expect(held.expiresInMs).toBeLessThanOrEqual(15_000);
      const fence = grant?.status === 'granted' ? grant.fence : Number.NaN;
      expect(await lease(registry, id, owner)).toBeGreaterThan(fence);
    });

    test('go to one of twenty that ask at once', async () => {
      const { registry, subject } = scene();
      const id = uniqueId('lease');
      await register(registry, id);
      const answers = await race(subject, 20, (client, index) =>
        client.acquireLeases([id], { owner: `o${index}`, host: 'h', ttlMs: 15_000 }),
      );
      const grants = fulfilled(answers).flat();
      expect(grants.filter(({ status }) => status === 'granted')).toHaveLength(1);
      expect(grants.filter(({ status }) => status === 'held')).toHaveLength(19);
    });

    test('of overlapping batches each go to one, and no batch waits for another in a circle', async () => {
      const { registry, subject } = scene();
      const ids = Array.from({ length: 40 }, () => uniqueId('batch'));
      await registry.registerTenants(ids.map((id) => newTenant(id)));
      const answers = await race(subject, 12, (client, index) => {
        const shuffled = [...ids].sort(
          (a, b) => ((a.charCodeAt((index % 8) + 6) * 31 + index) % 17) - ((b.charCodeAt((index % 8) + 6) * 31 + index) % 17),
        );
        return client.acquireLeases(shuffled.slice(0, 30), { owner: `b${index}`, host: 'h', ttlMs: 15_000 });
      });
      expect(fulfilled(answers)).toHaveLength(12);
      const granted = fulfilled(answers)
        .flat()
        .filter(({ status }) => status === 'granted')
        .map(({ id }) => id);
      expect(new Set(granted).size).toBe(granted.length);
    });

    test("expire by the server's clock, and then go to the next with a greater fence", async () => {
      const { registry } = scene();
      const id = uniqueId('lease');
      await register(registry, id);
      const first = await lease(registry, id, 'slow', 100);
      await untilPast(registry, 100);
      expect((await registry.findTenant(id))?.lease).toMatchObject({ owner: 'slow', isExpired: true });
      const second = await lease(registry, id, 'quick');
      expect(second).toBeGreaterThan(first);
      expect(await registry.renewLeases('slow', 15_000)).toEqual([]);
      expect(await registry.updateTenants([change(id, first, { to: 'active' })])).toEqual([]);
      expect(await registry.updateTenants([change(id, second, { to: 'active' })])).toHaveLength(1);
    });

    test('live on by renewal, all of an owner at once', async () => {
      const { registry } = scene();
      const owner = uniqueId('owner');
      const ids = [uniqueId('a'), uniqueId('b')];
      await registry.registerTenants(ids.map((id) => newTenant(id)));
      await registry.acquireLeases(ids, { owner, host: 'h', ttlMs: 300 });
      expect(await registry.renewLeases(owner, 15_000)).toEqual(ids);
      await untilPast(registry, 300);
      const answers = await registry.acquireLeases(ids, { owner: 'other', host: 'h', ttlMs: 15_000 });
      expect(answers.map(({ status }) => status)).toEqual(['held', 'held']);
    });

    test('are given back by their owner only', async () => {
      const { registry } = scene();
      const id = uniqueId('lease');
      await register(registry, id);
      await lease(registry, id, 'mine');
      await registry.releaseLeases('not-mine', [id]);
      expect((await registry.findTenant(id))?.lease?.owner).toBe('mine');
      await registry.releaseLeases('mine', [id, 'not-there']);
      expect((await registry.findTenant(id))?.lease).toBeNull();
    });

    test('can be broken, which says whose it was and leaves that owner without a say', async () => {
      const { registry } = scene();
      const [id, owner] = [uniqueId('lease'), uniqueId('owner')];
      await register(registry, id);
      const fence = await lease(registry, id, owner);
      expect(await registry.breakLease(id)).toEqual({ owner, host: 'test', since: expect.any(Date) });
      expect(await registry.breakLease(id)).toBeNull();
      expect(await registry.breakLease('not-there')).toBeNull();
      expect(await registry.renewLeases(owner, 15_000)).toEqual([]);
      expect(await registry.updateTenants([change(id, fence, { to: 'active' })])).toEqual([]);
      const [last] = (await registry.listEvents(id, { after: 0, limit: 10 })).slice(-1);
      expect(last).toMatchObject({ type: 'lease.broken', data: { owner } });
    });
  });

  describe('changing', () => {
    test('matches by status and fence, each for itself, and tells which did', async () => {
      const { registry } = scene();
      const [good, stale, wrong] = [uniqueId('a-good'), uniqueId('b-stale'), uniqueId('c-wrong')];
      for (const id of [good, stale, wrong]) await register(registry, id);
      const fences = await Promise.all([good, stale, wrong].map((id) => lease(registry, id, 'o')));
      const [fence = 0, , third = 0] = fences;
      const changed = await registry.updateTenants([
        change(good, fence, { from: ['pending', 'failed'], to: 'provisioning' }),
        change(stale, 0, { to: 'provisioning' }),
        change(wrong, third, { from: ['active'], to: 'suspended' }),
        change('not-there', null, { to: 'active' }),
      ]);
      expect(changed.map(({ id, status }) => [id, status])).toEqual([[good, 'provisioning']]);
      expect((await registry.findTenant(stale))?.status).toBe('pending');
      expect((await registry.listEvents(stale, { after: 0, limit: 10 })).map(({ type }) => type)).toEqual(['tenant.registered']);
    });

    test('sets what is named, null included, and leaves the rest', async () => {
      const { registry } = scene();
      const id = uniqueId('set');
      const fence = await activate(registry, id, 'o', { labels: { keep: 'me' } });
      const lastError = { code: 'TENANCY_X', message: 'broke', step: 'migrate', at: '2026-01-01T00:00:00.000Z' };
      const [failed] = await registry.updateTenants([
        change(id, fence, { from: ['active'], set: { schemaVersion: '0003', migrationsHash: 'h', lastError, isProtected: true } }),
      ]);
      expect(failed).toMatchObject({
        status: 'active',
        schemaVersion: '0003',
        migrationsHash: 'h',
        lastError,
        isProtected: true,
        labels: { keep: 'me' },
        operation: null,
      });
      const operation = { id: 'op', type: 'deprovision', cameFrom: 'active' } as const;
      const [mended] = await registry.updateTenants([
        change(id, null, { from: ['active'], set: { lastError: null, schemaVersion: null, labels: { new: 'one' }, operation } }),
      ]);
      expect(mended).toMatchObject({ lastError: null, schemaVersion: null, migrationsHash: 'h', labels: { new: 'one' }, operation });
      expect(mended?.homeOperationId).not.toBe('op');
      expect(mended?.activatedAt).toEqual(failed?.activatedAt);
    });

    test('by twenty at once matches for one', async () => {
      const { registry, subject } = scene();
      const id = uniqueId('raced');
      await register(registry, id);
      const answers = await race(subject, 20, (client) =>
        client.updateTenants([change(id, null, { to: 'provisioning', event: 'tenant.raced' })]),
      );
      expect(fulfilled(answers).flat()).toHaveLength(1);
      const events = await registry.listEvents(id, { after: 0, limit: 50 });
      expect(events.filter(({ type }) => type === 'tenant.raced')).toHaveLength(1);
    });

    test('leaves an entry in the audit trail with what was before and after', async () => {
      const { registry } = scene();
      const id = uniqueId('audit');
      const fence = await activate(registry, id, 'o');
      await registry.updateTenants([change(id, fence, { from: ['active'], to: 'suspended', runId: 'run-9', event: 'tenant.suspended' })]);
      const events = await registry.listEvents(id, { after: 0, limit: 10 });
      expect(events.at(-1)).toMatchObject({
        tenant: id,
        runId: 'run-9',
        type: 'tenant.suspended',
        data: { from: 'active', to: 'suspended' },
      });
      expect(events.map(({ sequence }) => sequence)).toEqual([...events.map(({ sequence }) => sequence)].sort((a, b) => a - b));
      const [, second] = events;
      expect(await registry.listEvents(id, { after: events[0]?.sequence ?? 0, limit: 1 })).toEqual([second]);
    });

    test('keeps no password that slipped into an error', async () => {
      const { registry } = scene();
      const id = uniqueId('leak');
      await register(registry, id);
      const lastError = { code: 'X', message: 'no postgres://u:hunter2hunter2@h/d', step: null, at: '2026-01-01T00:00:00.000Z' };
      const [tenant] = await registry.updateTenants([change(id, null, { set: { lastError } })]);
      expect(JSON.stringify([tenant, await registry.listEvents(id, { after: 0, limit: 9 })])).not.toContain('hunter2');
    });

    test('forgets a tenant that never had a home, by its fence, and frees its placement', async () => {
      const { registry } = scene();
      const [id, active] = [uniqueId('forget'), uniqueId('keep')];
      await register(registry, id);
      const fence = await lease(registry, id, 'o');
      expect(await registry.forgetTenant(id, fence - 1)).toBe(false);
      expect(await registry.forgetTenant(id, fence)).toBe(true);
      expect(await registry.forgetTenant(id, fence)).toBe(false);
      expect(await registry.findTenant(id)).toBeNull();
      expect((await register(registry, id)).status).toBe('pending');
      expect(await lease(registry, id, 'o')).toBeGreaterThan(fence);
      expect(await registry.forgetTenant(active, await activate(registry, active, 'o'))).toBe(false);
    });
  });
}
