import { describe, expect, test } from 'vitest';
import type { TenantFilter } from '../../src/registry/registry.js';
import { activate, change, fulfilled, lease, newTenant, race, register, type Scene, uniqueId } from './registry-rig.js';

export function describeTenants(scene: Scene): void {
  describe('registering', () => {
    test('makes a pending tenant once, and reads it back afterwards', async () => {
      const { registry } = scene();
      const tenant = newTenant(uniqueId('Reg'), { labels: { plan: 'pro' }, credentialRef: 'env:ACME_URL' });
      const [first] = await registry.registerTenants([tenant]);
      expect(first).toMatchObject({
        isNew: true,
        tenant: {
          id: tenant.id,
          status: 'pending',
          incarnation: 1,
          cluster: 'main',
          driver: 'postgres-schema',
          name: tenant.name,
          labels: { plan: 'pro' },
          credentialRef: 'env:ACME_URL',
          operation: tenant.operation,
          homeOperationId: tenant.operation.id,
          isProtected: false,
          schemaVersion: null,
          migrationsHash: null,
          login: null,
          lastError: null,
          lease: null,
          activatedAt: null,
          deprovisionedAt: null,
        },
      });
      expect(Math.abs((first?.tenant.createdAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
      const [second] = await registry.registerTenants([newTenant(tenant.id, { name: 'elsewhere' })]);
      expect(second).toEqual({ isNew: false, tenant: first?.tenant });
      expect(await registry.findTenant(tenant.id)).toEqual(first?.tenant);
      expect(await registry.findTenant(tenant.id.toLowerCase())).toBeNull();
    });

    test('answers for old and new ones in the order that was asked', async () => {
      const { registry } = scene();
      const ids = ['c', 'a', 'b'].map(uniqueId);
      await register(registry, ids[1] ?? '');
      const answers = await registry.registerTenants(ids.map((id) => newTenant(id)));
      expect(answers.map(({ tenant, isNew }) => [tenant.id, isNew])).toEqual([
        [ids[0], true],
        [ids[1], false],
        [ids[2], true],
      ]);
    });

    test('refuses an id that differs in case only, and registers none of that batch', async () => {
      const { registry } = scene();
      const id = uniqueId('Case');
      const other = uniqueId('case-other');
      await register(registry, id);
      const attempt = registry.registerTenants([newTenant(other), newTenant(id.toLowerCase(), { name: uniqueId('n') })]);
      await expect(attempt).rejects.toMatchObject({
        code: 'TENANCY_ID_TAKEN',
        exitCode: 4,
        details: { id: id.toLowerCase(), takenBy: id },
      });
      expect(await registry.findTenant(other)).toBeNull();
      const twins = [newTenant(`${other}X`), newTenant(`${other}x`, { name: 'twin' })];
      await expect(registry.registerTenants(twins)).rejects.toMatchObject({ code: 'TENANCY_ID_TAKEN' });
    });

    test('refuses a placement that another tenant has, without case, naming both', async () => {
      const { registry } = scene();
      const [id, other, name] = [uniqueId('home'), uniqueId('guest'), uniqueId('shared')];
      await register(registry, id, { name });
      const attempt = registry.registerTenants([newTenant(other, { name: name.toUpperCase() })]);
      await expect(attempt).rejects.toMatchObject({ code: 'TENANCY_PLACEMENT_TAKEN', exitCode: 4, details: { id: other, takenBy: id } });
      await expect(
        registry.registerTenants([newTenant(other, { name: 'same' }), newTenant(`${other}-2`, { name: 'Same' })]),
      ).rejects.toMatchObject({
        code: 'TENANCY_PLACEMENT_TAKEN',
      });
      expect((await register(registry, other, { name, cluster: 'second' })).cluster).toBe('second');
    });

    test('is refused alike beforehand, where nothing is written', async () => {
      const { registry } = scene();
      const [id, guest] = [uniqueId('Planned'), uniqueId('guest')];
      await register(registry, id);
      const lower = newTenant(id.toLowerCase(), { name: uniqueId('n') });
      await expect(registry.refuseClashes([lower])).rejects.toMatchObject({ code: 'TENANCY_ID_TAKEN', details: { takenBy: id } });
      const atHome = newTenant(guest, { name: `tenant_${id.toLowerCase()}` });
      await expect(registry.refuseClashes([atHome])).rejects.toMatchObject({ code: 'TENANCY_PLACEMENT_TAKEN', details: { takenBy: id } });
      await registry.refuseClashes([newTenant(id), newTenant(id), newTenant(guest)]);
      expect(await registry.findTenant(guest)).toBeNull();
    });

    test('by twenty at once of one id is new to one of them', async () => {
      const { subject } = scene();
      const id = uniqueId('raced');
      const results = fulfilled(await race(subject, 20, (client) => client.registerTenants([newTenant(id)])));
      expect(results).toHaveLength(20);
      expect(results.filter(([answer]) => answer?.isNew)).toHaveLength(1);
      expect(new Set(results.map(([answer]) => answer?.tenant.homeOperationId)).size).toBe(1);
    });

    test('by twenty at once of one placement is given to one of them', async () => {
      const { subject } = scene();
      const name = uniqueId('plot');
      const results = await race(subject, 20, (client, index) => client.registerTenants([newTenant(`${name}-${index}`, { name })]));
      expect(fulfilled(results)).toHaveLength(1);
      const codes = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { code: string }).code] : []));
      expect(new Set(codes)).toEqual(new Set(['TENANCY_PLACEMENT_TAKEN']));
    });

    test('is retained until a time of its own clock, and not over before', async () => {
      const { registry } = scene();
      const [id, squatter] = [uniqueId('kept'), uniqueId('squatter')];
      const fence = await activate(registry, id, 'o');
      const operation = { id: 'op-kept', type: 'deprovision', cameFrom: 'active' } as const;
      const retain = { from: ['active', 'retained'], to: 'retained', event: 'tenant.retained' } as const;
      const [kept] = await registry.updateTenants([change(id, fence, { ...retain, set: { operation, retainForMs: 3_600_000 } })]);
      expect(kept).toMatchObject({ status: 'retained', isRetentionOver: false, operation });
      expect(Math.abs((kept?.retainedUntil?.getTime() ?? 0) - Date.now() - 3_600_000)).toBeLessThan(60_000);
      expect(await registry.findTenant(id)).toEqual(kept);
      const purge = { from: ['retained'], to: 'deprovisioning', ifRetentionOver: true } as const;
      expect(await registry.updateTenants([change(id, fence, purge)])).toEqual([]);
      await expect(registry.registerTenants([newTenant(squatter, { name: kept?.name ?? '' })])).rejects.toMatchObject({
        code: 'TENANCY_PLACEMENT_TAKEN',
      });
      expect((await registry.registerTenants([newTenant(id)]))[0]).toMatchObject({ isNew: false, tenant: { status: 'retained' } });

      await registry.updateTenants([change(id, fence, { ...retain, set: { retainForMs: 1 } })]);
      await expect.poll(async () => (await registry.findTenant(id))?.isRetentionOver).toBe(true);
      const [purging] = await registry.updateTenants([change(id, fence, purge)]);
      expect(purging).toMatchObject({ status: 'deprovisioning', isRetentionOver: true });
      const [back] = await registry.updateTenants([
        change(id, fence, { from: ['deprovisioning'], to: 'active', set: { operation: null, retainForMs: null } }),
      ]);
      expect(back).toMatchObject({ status: 'active', retainedUntil: null, isRetentionOver: false });
    });

    test('counts one that is out of use among those that are not at a version, so that who names it is told', async () => {
      const { registry } = scene();
      const id = uniqueId('named');
      const fence = await activate(registry, id, 'o');
      const at = { schemaVersion: '7', migrationsHash: 'h7' };
      await registry.updateTenants([change(id, fence, { from: ['active'], set: at })]);
      expect(await registry.countTenants({ ids: [id], notAt: at })).toBe(0);
      for (const status of ['failed', 'deprovisioning', 'active'] as const) {
        await registry.updateTenants([change(id, fence, { from: ['active', 'failed', 'deprovisioning'], to: status })]);
        expect([status, await registry.countTenants({ ids: [id], notAt: at })]).toEqual([status, status === 'active' ? 0 : 1]);
        expect(await registry.countTenants({ ids: [id], statuses: ['active', 'suspended'], notAt: at })).toBe(0);
      }
      await registry.updateTenants([change(id, fence, { from: ['active'], to: 'retained', set: { retainForMs: 1 } })]);
      expect(await registry.countTenants({ ids: [id], notAt: at })).toBe(1);
      expect(
        (await registry.listTenants({ statuses: ['retained'], ids: [id] }, { after: null, limit: 10 })).map((tenant) => tenant.id),
      ).toEqual([id]);
    });

    test('a deprovisioned id begins a new life, with its history and a fence that goes on growing', async () => {
      const { registry } = scene();
      const [id, heir] = [uniqueId('phoenix'), uniqueId('heir')];
      const fence = await activate(registry, id, 'o');
      await registry.updateTenants([
        change(id, fence, { from: ['active'], to: 'deprovisioned', set: { isProtected: true, schemaVersion: '7' } }),
      ]);
      await registry.releaseLeases('o', [id]);
      expect((await registry.findTenant(id))?.deprovisionedAt).toBeInstanceOf(Date);
      await register(registry, heir, { name: `tenant_${id}` });
      const [again] = await registry.registerTenants([newTenant(id, { name: `tenant_${id}_2` })]);
      expect(again).toMatchObject({
        isNew: true,
        tenant: { incarnation: 2, status: 'pending', isProtected: false, schemaVersion: null, deprovisionedAt: null, activatedAt: null },
      });
      expect(await lease(registry, id, 'o')).toBeGreaterThan(fence);
      const types = (await registry.listEvents(id, { after: 0, limit: 10 })).map(({ type }) => type);
      expect(types).toEqual(['tenant.registered', 'tenant.changed', 'tenant.changed', 'tenant.registered']);
    });

    test('keeps the names of logins and where their passwords are, and forgets them with the life they belong to', async () => {
      const { registry } = scene();
      const id = uniqueId('login');
      const fence = await activate(registry, id, 'owner-login');
      const login = { current: 't_1_b', next: null, previous: { name: 't_1_a', credentialRef: 'file:secrets/a' } };
      const [changed] = await registry.updateTenants([
        change(id, fence, { from: ['active'], set: { login, credentialRef: 'file:secrets/b' } }),
      ]);
      expect(changed).toMatchObject({ login, credentialRef: 'file:secrets/b' });
      const [kept] = await registry.updateTenants([change(id, fence, { from: ['active'], set: { lastError: null } })]);
      expect(kept).toMatchObject({ login, credentialRef: 'file:secrets/b' });
      expect(await registry.findTenant(id)).toMatchObject({ login, credentialRef: 'file:secrets/b' });
      await registry.updateTenants([change(id, fence, { from: ['active'], to: 'deprovisioned' })]);
      const [next] = await registry.registerTenants([newTenant(id)]);
      expect(next?.tenant).toMatchObject({ incarnation: 2, login: null, credentialRef: null });
      const [cleared] = await registry.updateTenants([
        change(id, next?.tenant.fence ?? 0, { from: ['pending'], set: { login: null, credentialRef: null } }),
      ]);
      expect(cleared).toMatchObject({ login: null, credentialRef: null });
    });
  });

  describe('listing', () => {
    test('goes through a thousand ids of both cases in pages, bytewise, each once', async () => {
      const { registry } = scene();
      const ids = Array.from(
        { length: 1000 },
        (_, index) => `${index % 3 === 0 ? 'Pg' : index % 3 === 1 ? 'pG' : 'pg'}_${(index * 7919) % 1000}-${index}`,
      );
      for (let from = 0; from < ids.length; from += 250) {
        await registry.registerTenants(ids.slice(from, from + 250).map((id) => newTenant(id, { labels: { set: 'paging' } })));
      }
      const seen: string[] = [];
      for (let after: string | null = null; ; ) {
        const page: readonly { id: string }[] = await registry.listTenants({ labels: { set: 'paging' } }, { after, limit: 137 });
        seen.push(...page.map(({ id }) => id));
        after = page.at(-1)?.id ?? null;
        if (page.length < 137) break;
      }
      expect(seen).toEqual([...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
      expect(await registry.countTenants({ labels: { set: 'paging' } })).toBe(1000);
    });

    test('keeps to all conditions of a filter at once', async () => {
      const { registry } = scene();
      const set = uniqueId('set');
      const ids = ['a', 'b', 'c', 'd'].map((letter) => `${set}-${letter}`);
      const [a = '', b = '', c = '', d = ''] = ids;
      await activate(registry, a, set, { labels: { set, plan: 'pro' } });
      await activate(registry, b, set, { labels: { set, plan: 'free' } });
      await activate(registry, c, set, { labels: { set, plan: 'pro' }, cluster: 'far' });
      await register(registry, d, { labels: { set, plan: 'pro' } });
      const at = { schemaVersion: '0002', migrationsHash: 'h2' };
      const error = { code: 'X', message: 'm', step: null, at: '2026-01-01T00:00:00Z' };
      await registry.updateTenants([
        change(a, null, { from: ['active'], set: at }),
        change(b, null, { from: ['active'], set: { ...at, lastError: error } }),
        change(c, null, { from: ['active'], set: { schemaVersion: '0001', migrationsHash: 'h2' } }),
      ]);
      await registry.createRun({ id: set, command: 'migrate', owner: set, host: 'h', target: null, options: {}, selected: 1 });
      const outcome = { tenant: a, cluster: 'main', outcome: 'failed', attempts: 1, from: null, to: null, ms: 1 } as const;
      await registry.recordOutcomes(set, [{ outcome, owner: 'nobody', fence: 0, lastError: null }]);
      const other = `${set}-other`;
      await registry.createRun({ id: other, command: 'migrate', owner: set, host: 'h', target: null, options: {}, selected: 2 });
      const both = [a, c].map((tenant) => ({ outcome: { ...outcome, tenant }, owner: 'nobody', fence: 0, lastError: null }));
      await registry.recordOutcomes(other, both);

      const labels = { set };
      const cases: [TenantFilter, string[]][] = [
        [{ labels }, ids],
        [{ labels: { set, plan: 'pro' } }, [a, c, d]],
        [{ labels: { set, plan: 'pro' }, statuses: ['active'], clusters: ['main'] }, [a]],
        [{ ids: [d, a, 'not-there'] }, [a, d]],
        [{ ids: [] }, []],
        [{ labels, statuses: [] }, []],
        [{ labels, exclude: [a, d, 'not-there'] }, [b, c]],
        [{ labels, notAt: at }, [b, c, d]],
        [{ labels, at: [at, { schemaVersion: null, migrationsHash: null }] }, [a, b, d]],
        [{ labels, at: [{ ...at, schemaVersion: null }] }, []],
        [{ labels, at: [] }, []],
        [{ labels, hasError: true }, [b]],
        [{ labels, hasError: false }, [a, c, d]],
        [{ labels, notAt: { schemaVersion: '0001', migrationsHash: 'h2' } }, [a, b, d]],
        [{ labels, notAt: { schemaVersion: null, migrationsHash: 'h2' } }, ids],
        [{ labels, notAt: { schemaVersion: '0002', migrationsHash: 'h3' } }, ids],
        [{ labels, ofRun: { runId: set, outcomes: ['failed', 'unknown'] } }, [a]],
        [{ labels, ofRun: { runId: set, outcomes: ['applied'] } }, []],
        [{ labels, ofRun: { runId: [set, other, 'not-there'], outcomes: ['failed'] } }, [a, c]],
        [{ labels, ofRun: { runId: [], outcomes: ['failed'] } }, []],
      ];
      for (const [filter, expected] of cases) {
        const page = await registry.listTenants(filter, { after: null, limit: 10 });
        expect(
          page.map(({ id }) => id),
          JSON.stringify(filter),
        ).toEqual(expected);
        expect(await registry.countTenants(filter)).toBe(expected.length);
      }
      expect(await registry.summarize({ labels })).toEqual([
        {
          status: 'active',
          cluster: 'far',
          driver: 'postgres-schema',
          schemaVersion: '0001',
          migrationsHash: 'h2',
          tenants: 1,
          withError: 0,
        },
        {
          status: 'active',
          cluster: 'main',
          driver: 'postgres-schema',
          schemaVersion: '0002',
          migrationsHash: 'h2',
          tenants: 2,
          withError: 1,
        },
        {
          status: 'pending',
          cluster: 'main',
          driver: 'postgres-schema',
          schemaVersion: null,
          migrationsHash: null,
          tenants: 1,
          withError: 0,
        },
      ]);
    });

    test('suggests the nearest ids, one that differs in case first, and none that is gone or far', async () => {
      const { registry } = scene();
      await registry.registerTenants(['Quokka', 'quokka2', 'qoukka-x', 'zuokka-long-name'].map((id) => newTenant(id)));
      expect(await registry.suggestTenants('quokka')).toEqual(['Quokka', 'quokka2']);
      expect(await registry.suggestTenants('qoukka')).toContain('Quokka');
      expect(await registry.suggestTenants('muokka')).toContain('Quokka');
      expect(await registry.suggestTenants('quokkka')).toContain('Quokka');
      expect(await registry.suggestTenants('nothing-like-it-at-all')).toEqual([]);
      const fence = await lease(registry, 'quokka2', 'o');
      await registry.updateTenants([change('quokka2', fence, { to: 'deprovisioned' })]);
      expect(await registry.suggestTenants('quokka')).toEqual(['Quokka']);
    });
  });
}
