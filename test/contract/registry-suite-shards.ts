import { beforeAll, describe, expect, test } from 'vitest';
import type { Registry, TenantFilter } from '../../src/registry/registry.js';
import { isInShard, type Shard } from '../../src/util/shard.js';
import { newTenant, type Scene, uniqueId } from './registry-rig.js';

const TENANTS = 3_000;

/** Every store finds the same tenants in a shard as `isInShard` does here, whichever way it is asked. */
export function describeShards(scene: Scene): void {
  describe('shards', () => {
    const set = uniqueId('shards');
    const labels = { set };
    /** Of all the kinds that ids are of: with capitals, digits, dashes, underscores, short and as long as they get. */
    const ids = Array.from({ length: TENANTS }, (_, index) => {
      const kinds = [`${set}-${index}`, `Org_${index}_${set}`, `${index}${set}`, `${set}_${index}_`.padEnd(63, 'Xy-')];
      return kinds[index % kinds.length] ?? '';
    });
    beforeAll(async () => {
      for (let from = 0; from < ids.length; from += 500) {
        const batch = ids.slice(from, from + 500).map((id, index) => newTenant(id, { labels: { set, odd: String(index % 2) } }));
        await scene().registry.registerTenants(batch);
      }
    });

    test.each([1, 2, 3, 7, 16])('%d of them are the whole fleet, none twice, as counted here', async (of) => {
      const { registry } = scene();
      const seen: string[] = [];
      for (let index = 1; index <= of; index += 1) {
        const shard = { index, of };
        const expected = ids.filter((id) => isInShard(id, shard)).sort();
        const found = await readAll(registry, { labels, shard });
        expect(found, `${index}/${of}`).toEqual(expected);
        expect(await registry.countTenants({ labels, shard })).toBe(expected.length);
        const summary = await registry.summarize({ labels, shard });
        expect(summary.reduce((total, { tenants }) => total + tenants, 0)).toBe(expected.length);
        seen.push(...found);
      }
      expect(seen.sort()).toEqual([...ids].sort());
    });

    test('are an intersection with everything else', async () => {
      const { registry } = scene();
      const shard: Shard = { index: 2, of: 5 };
      const mine = ids.filter((id) => isInShard(id, shard));
      const [first = '', second = ''] = mine;
      const stranger = ids.find((id) => !isInShard(id, shard)) ?? '';
      await registry.createRun({ id: set, command: 'migrate', owner: set, host: 'h', target: null, options: {}, selected: 2 });
      const outcome = { cluster: 'main', outcome: 'failed', attempts: 1, from: null, to: null, ms: 1 } as const;
      const failed = [second, stranger].map((tenant) => ({ outcome: { ...outcome, tenant }, owner: 'nobody', fence: 0, lastError: null }));
      await registry.recordOutcomes(set, failed);
      expect(await readAll(registry, { ids: [second, stranger, first], shard })).toEqual([first, second].sort());
      expect(await readAll(registry, { ofRun: { runId: set, outcomes: ['failed'] }, shard })).toEqual([second]);
      expect(await readAll(registry, { labels, exclude: [first], shard })).toEqual(mine.filter((id) => id !== first).sort());
      expect(await readAll(registry, { labels, notAt: { schemaVersion: '1', migrationsHash: 'h' }, shard })).toEqual([...mine].sort());
      expect(await readAll(registry, { labels, clusters: ['elsewhere'], shard })).toEqual([]);
      const odd = await readAll(registry, { labels: { set, odd: '1' }, shard });
      expect(odd).toEqual(mine.filter((id) => (ids.indexOf(id) % 500) % 2 === 1).sort());
    });
  });
}

/** By keyset pages that end in the middle of a shard. */
async function readAll(registry: Registry, filter: TenantFilter): Promise<readonly string[]> {
  const found: string[] = [];
  for (let after: string | null = null; ; ) {
    const page: readonly { readonly id: string }[] = await registry.listTenants(filter, { after, limit: 137 });
    found.push(...page.map(({ id }) => id));
    after = page.at(-1)?.id ?? null;
    if (after === null || page.length < 137) return found;
  }
}
