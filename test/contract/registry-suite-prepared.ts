import { describe, expect, test } from 'vitest';
import type { NewPreparedHome } from '../../src/registry/prepared-homes.js';
import type { Registry } from '../../src/registry/registry.js';
import { parseTenantId } from '../../src/tenant.js';
import { fulfilled, race, type Scene, uniqueId, untilPast } from './registry-rig.js';

const lease = (owner: string, ttlMs = 15_000) => ({ owner, host: 'h', ttlMs });

function spares(cluster: string, count: number): NewPreparedHome[] {
  return Array.from({ length: count }, () => {
    const id = uniqueId('op');
    return { id, type: 'spare', cluster, driver: 'postgres-database', name: `tenancy_pool_${id}` };
  });
}

const claimOf = (cluster: string, tenant: string, migrationsHash: string | null = null) =>
  ({ cluster, driver: 'postgres-database', tenant: parseTenantId(tenant), operationId: `op-of-${tenant}`, migrationsHash }) as const;

async function ready(registry: Registry, home: NewPreparedHome, migrationsHash: string | null = 'h1'): Promise<void> {
  await registry.enterPreparedHomes([home], lease('maker'));
  expect(await registry.finishPreparedHome(home.id, { owner: 'maker', schemaVersion: '0001', migrationsHash })).toBe(true);
}

const statuses = async (registry: Registry, cluster: string): Promise<readonly string[]> =>
  (await registry.listPreparedHomes({ cluster })).map(({ status }) => status);

/** Homes made ahead: templates, and those of the warm pool. */
export function describePreparedHomes(scene: Scene): void {
  describe('homes made ahead', () => {
    test('are entered before they are made, one for each name, and say so until they are ready', async () => {
      const { registry } = scene();
      const cluster = uniqueId('cluster');
      const [first, second, third] = spares(cluster, 3) as [NewPreparedHome, NewPreparedHome, NewPreparedHome];
      expect(await registry.enterPreparedHomes([first], lease('maker'))).toEqual([first.id]);
      // Sent again, as after a lost answer, it is the same one.
      expect(await registry.enterPreparedHomes([first], lease('maker'))).toEqual([first.id]);
      const rival = { ...third, name: first.name };
      expect(await registry.enterPreparedHomes([rival], lease('rival'))).toEqual([]);
      expect(await registry.enterPreparedHomes([{ ...rival, driver: 'postgres-schema' }, second], lease('rival'))).toHaveLength(2);
      expect(await registry.listPreparedHomes({ cluster, name: second.name })).toMatchObject([{ id: second.id }]);
      expect((await registry.listPreparedHomes({ cluster }))[0]).toEqual({
        ...first,
        status: 'making',
        schemaVersion: null,
        migrationsHash: null,
        tenant: null,
        operationId: null,
        host: 'h',
        isAbandoned: false,
        createdAt: expect.any(Date),
        readyAt: null,
      });
      expect(await registry.finishPreparedHome(first.id, { owner: 'rival', schemaVersion: '1', migrationsHash: 'x' })).toBe(false);
      expect(await registry.finishPreparedHome(first.id, { owner: 'maker', schemaVersion: '1', migrationsHash: 'x' })).toBe(true);
      expect(await registry.listPreparedHomes({ cluster, name: first.name, type: 'spare' })).toMatchObject([
        { status: 'ready', schemaVersion: '1', migrationsHash: 'x', readyAt: expect.any(Date) },
        { status: 'making' },
      ]);
      expect(await registry.listPreparedHomes({ cluster, type: 'template' })).toEqual([]);
      await registry.forgetPreparedHome(first.id);
      expect(await registry.listPreparedHomes({ cluster })).toHaveLength(2);
    });

    test('are seen, by whoever has entered some, with all that stand before them', async () => {
      const { registry, subject } = scene();
      for (let round = 0; round < 4; round += 1) {
        const cluster = uniqueId('cluster');
        const results = await race(subject, 4, async (client, index) => {
          await client.enterPreparedHomes(spares(cluster, 3), lease(`filler-${index}`));
          return (await client.listPreparedHomes({ cluster })).map(({ id }) => id);
        });
        const seen = fulfilled(results);
        expect(seen).toHaveLength(4);
        const all = (await registry.listPreparedHomes({ cluster })).map(({ id }) => id);
        expect(all).toHaveLength(12);
        // Each sees a beginning of what there is at the end: who keeps the first few keeps the same ones as everybody.
        for (const ids of seen) expect(ids).toEqual(all.slice(0, ids.length));
      }
    });

    test('of an owner who has gone are taken over by one, and then the old owner changes nothing any more', async () => {
      const { registry, subject } = scene();
      const cluster = uniqueId('cluster');
      const [home] = spares(cluster, 1) as [NewPreparedHome];
      await registry.enterPreparedHomes([home], lease('maker'));
      const take = { ...lease('other'), from: ['making'], to: 'making' } as const;
      expect(await registry.takePreparedHome(home.id, take)).toBeNull();
      await registry.renewPreparedHomes('maker', 30);
      await untilPast(registry, 30);
      expect((await registry.listPreparedHomes({ cluster }))[0]?.isAbandoned).toBe(true);
      await registry.renewPreparedHomes('maker', 15_000);
      expect((await registry.listPreparedHomes({ cluster }))[0]?.isAbandoned).toBe(false);
      await registry.renewPreparedHomes('maker', 1);
      await untilPast(registry, 1);
      const taken = await race(subject, 6, (client, index) => client.takePreparedHome(home.id, { ...take, ...lease(`taker-${index}`) }));
      const [winner, ...others] = fulfilled(taken).filter((answer) => answer !== null);
      expect(others).toEqual([]);
      expect(winner).toMatchObject({ status: 'making', isAbandoned: false });
      expect(await registry.finishPreparedHome(home.id, { owner: 'maker', schemaVersion: '1', migrationsHash: 'x' })).toBe(false);
    });

    test('are dropped by one, also those that are ready or claimed, and nobody claims them then', async () => {
      const { registry } = scene();
      const cluster = uniqueId('cluster');
      const [one, two] = spares(cluster, 2) as [NewPreparedHome, NewPreparedHome];
      await ready(registry, one);
      await ready(registry, two);
      expect(await registry.claimPreparedHome(claimOf(cluster, uniqueId('a')))).toMatchObject({ id: one.id });
      const drop = { ...lease('dropper'), to: 'dropping' } as const;
      expect(await registry.takePreparedHome(one.id, { ...drop, from: ['ready'] })).toBeNull();
      expect(await registry.takePreparedHome(one.id, { ...drop, from: ['claimed'] })).toMatchObject({ status: 'dropping' });
      expect(await registry.takePreparedHome(two.id, { ...drop, from: ['ready'] })).toMatchObject({ status: 'dropping' });
      expect(await registry.takePreparedHome(two.id, { ...drop, ...lease('late'), from: ['ready', 'dropping'] })).toBeNull();
      expect(await registry.claimPreparedHome(claimOf(cluster, uniqueId('b')))).toBeNull();
      const [mine] = spares(cluster, 1) as [NewPreparedHome];
      await registry.enterPreparedHomes([mine], lease('dropper'));
      expect(await registry.takePreparedHome(mine.id, { ...drop, from: ['making'] })).toMatchObject({ status: 'dropping' });
    });

    test('are claimed by one each of many who ask at once, and again by the same', async () => {
      const { registry, subject } = scene();
      const cluster = uniqueId('cluster');
      const homes = spares(cluster, 12);
      for (const home of homes) await ready(registry, home);
      const prefix = uniqueId('t');
      const claims = fulfilled(
        await race(subject, 20, (client, index) => client.claimPreparedHome(claimOf(cluster, `${prefix}-${index}`))),
      );
      const claimed = claims.flatMap((home) => (home === null ? [] : [home]));
      expect(claims).toHaveLength(20);
      expect(new Set(claimed.map(({ id }) => id)).size).toBe(claimed.length);
      expect(claimed).toHaveLength(12);
      const [some] = claimed;
      expect(some).toMatchObject({ status: 'claimed', operationId: `op-of-${some?.tenant}` });
      const again = await registry.claimPreparedHome(claimOf(cluster, some?.tenant ?? ''));
      expect(again).toEqual(some);
      expect(await statuses(registry, cluster)).toEqual(homes.map(() => 'claimed'));
    });

    test('are claimed with the history asked for before any other, on the cluster and of the driver asked for', async () => {
      const { registry } = scene();
      const cluster = uniqueId('cluster');
      const [old, fresh, template] = spares(cluster, 3) as [NewPreparedHome, NewPreparedHome, NewPreparedHome];
      await ready(registry, old, 'h1');
      await ready(registry, fresh, 'h2');
      await ready(registry, { ...template, type: 'template' }, 'h2');
      expect(await registry.claimPreparedHome(claimOf(uniqueId('cluster'), uniqueId('x'), 'h2'))).toBeNull();
      expect(await registry.claimPreparedHome({ ...claimOf(cluster, uniqueId('x'), 'h2'), driver: 'postgres-schema' })).toBeNull();
      const one = claimOf(cluster, uniqueId('x'), 'h2');
      expect(await registry.claimPreparedHome(one)).toMatchObject({ id: fresh.id, migrationsHash: 'h2' });
      expect(await registry.claimPreparedHome(claimOf(cluster, uniqueId('x'), 'h2'))).toMatchObject({ id: old.id, migrationsHash: 'h1' });
      expect(await registry.claimPreparedHome(claimOf(cluster, uniqueId('x'), 'h2'))).toBeNull();
      // Given back, it is another's; by somebody else it can't be.
      expect(await registry.returnPreparedHome(fresh.id, 'another')).toBe(false);
      expect(await registry.returnPreparedHome(fresh.id, one.operationId)).toBe(true);
      expect(await registry.returnPreparedHome(fresh.id, one.operationId)).toBe(false);
      expect(await registry.claimPreparedHome(claimOf(cluster, uniqueId('x'), 'h2'))).toMatchObject({ id: fresh.id });
    });
  });
}
