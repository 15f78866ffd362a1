import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import type { Registry } from '../../src/registry/registry.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { newTenant } from './registry-rig.js';

const ids = Array.from({ length: 60 }, (_, index) => `t${String(index).padStart(3, '0')}`);

let db: TestDatabase;
let registries: readonly Registry[];
let registry: Registry;
let number = 0;

beforeAll(async () => {
  db = await createTestDatabase();
  registry = await openRegistry({ url: db.url, create: true, applicationName: 'test' });
  const others = await Promise.all([1, 2, 3].map(() => openRegistry({ url: db.url, create: false, applicationName: 'test' })));
  registries = [registry, ...others];
  await registry.registerTenants(ids.map((id) => newTenant(id)));
});

afterAll(async () => {
  await Promise.all(registries.map((each) => each.close()));
  await db.drop();
});

beforeEach(async () => {
  await db.query('UPDATE tenancy.tenants SET lease_owner = NULL, lease_host = NULL, lease_since = NULL, lease_expires_at = NULL');
});

async function createRun(): Promise<string> {
  const id = `run-${++number}`;
  await registry.createRun({ id, command: 'migrate', owner: `${id}/queue`, host: 'h', target: null, options: {}, selected: ids.length });
  return id;
}

/** Of one registry of several, as of one worker of several. */
function take(
  runId: string,
  from: Registry,
  owner: string,
  options: { after?: string | null; limit?: number; known?: readonly string[] } = {},
) {
  const { after = null, limit = 1, known = [] } = options;
  const lease = { owner: `${runId}/${owner}`, host: owner, ttlMs: 15_000 };
  const taken = from.distribution?.takeTenants(runId, { filter: {}, after, limit, lease, known });
  return taken ?? Promise.reject(new Error('PostgreSQL has it'));
}

test('of many who take at once none is given what another is, and together they are given all', async () => {
  const run = await createRun();
  const taken = await Promise.all(
    Array.from({ length: 40 }, (_, index) => take(run, registries[index % 4] as Registry, `w${index}`, { limit: 2 })),
  );
  const given = taken.flat().map(({ id }) => id);
  expect(new Set(given).size).toBe(given.length);
  const rest = await take(run, registry, 'rest', { limit: 100 });
  expect([...given, ...rest.map(({ id }) => id)].sort()).toEqual(ids);
  expect(await registry.distribution?.hasLeft(run, {})).toBe(true);
  expect((await registry.distribution?.listInFlight(run))?.length).toBe(ids.length);
});

test('who has an end in the run is not given again, in another run it is; one that was never started is', async () => {
  const [run, other] = [await createRun(), await createRun()];
  const [first, second] = await take(run, registry, 'w', { limit: 2 });
  const outcome = { cluster: 'main', attempts: 1, from: null, to: null, ms: 1 } as const;
  const record = (id = '', fence = 0, type: 'failed' | 'not-started' = 'failed') => ({
    outcome: { tenant: id, outcome: type, ...outcome },
    owner: `${run}/w`,
    fence,
    lastError: null,
  });
  await registry.recordOutcomes(run, [record(first?.id, first?.fence), record(second?.id, second?.fence, 'not-started')]);
  expect((await take(run, registry, 'x', { limit: 100 })).map(({ id }) => id)).toEqual(ids.filter((id) => id !== first?.id));
  expect(await registry.distribution?.hasLeft(run, { ids: [second?.id ?? ''] })).toBe(true);
  expect(await registry.distribution?.hasLeft(run, { ids: [first?.id ?? ''] })).toBe(false);
  const left = { cluster: 'main', tenants: ids.length - 1, drivers: ['postgres-schema'] };
  expect(await registry.distribution?.listLeft(run, {})).toEqual([left]);
  expect(await registry.distribution?.listLeft(run, { ids: [first?.id ?? ''] })).toEqual([]);
  await registry.releaseLeases(`${run}/x`, ids);
  expect(await take(other, registry, 'y', { limit: 100 })).toHaveLength(ids.length);
});

test('goes on after an id, passes over what is leased, and takes what has expired, with a newer fence', async () => {
  const run = await createRun();
  const [one] = await take(run, registry, 'a', { after: 't009' });
  expect(one?.id).toBe('t010');
  const [two] = await take(run, registry, 'b', { after: 't009' });
  expect(two?.id).toBe('t011');
  await db.query(`UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() - interval '1 s' WHERE id = 't010'`);
  const [again] = await take(run, registry, 'b', { after: 't009', known: ['t011'] });
  expect([again?.id, Number(again?.fence) > Number(one?.fence)]).toEqual(['t010', true]);
});

test('what was given in an answer that got lost is given to the same owner again', async () => {
  const run = await createRun();
  const lost = await take(run, registry, 'a', { limit: 2 });
  const known = await take(run, registry, 'a', { limit: 2 });
  expect(known.map(({ id }) => id)).toEqual(lost.map(({ id }) => id));
  const next = await take(run, registry, 'a', { limit: 1, known: known.map(({ id }) => id) });
  expect(next.map(({ id }) => id)).toEqual(['t002']);
});

test('recent outcomes are told once each, in their order, with what to ask next', async () => {
  const run = await createRun();
  const distribution = registry.distribution;
  if (!distribution) throw new Error('PostgreSQL has it');
  expect((await distribution.listRecentOutcomes(run, null)).outcomes).toEqual([]);
  const grants = await take(run, registry, 'a', { limit: 3 });
  for (const { id, fence } of grants) {
    const outcome = { tenant: id, cluster: 'main', outcome: 'applied', attempts: 1, from: null, to: '1', ms: 5 } as const;
    await registry.recordOutcomes(run, [{ outcome, owner: `${run}/a`, fence, lastError: null }]);
  }
  const first = await distribution.listRecentOutcomes(run, null);
  expect(first.outcomes.map(({ tenant }) => tenant)).toEqual(['t000', 't001', 't002']);
  const later = await distribution.listRecentOutcomes(run, first.now + 10_000);
  expect([later.outcomes, later.now >= first.now]).toEqual([[], true]);
  expect(await distribution.listInFlight(run)).toEqual([]);
});

test('who has a lease of another run or command is told, as long as it lives, and until it has an end in the run', async () => {
  const [run, other] = [await createRun(), await createRun()];
  await take(run, registry, 'mine', { limit: 2 });
  const [theirs, expired] = await take(other, registry, 'theirs', { limit: 2 });
  await registry.acquireLeases(['t059'], { owner: 'a-command', host: 'h', ttlMs: 15_000 });
  await db.query(`UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() - interval '1 s' WHERE id = $1`, [expired?.id]);
  const list = async (): Promise<unknown> =>
    (await registry.distribution?.listHeldElsewhere(run, {}))?.map(({ id, lease }) => [id, lease?.owner, lease?.host]);
  expect(await list()).toEqual([
    [theirs?.id, `${other}/theirs`, 'theirs'],
    ['t059', 'a-command', 'h'],
  ]);
  const outcome = { tenant: 't059', cluster: 'main', outcome: 'failed', attempts: 1, from: null, to: null, ms: 1 } as const;
  await registry.recordOutcomes(run, [{ outcome, owner: `${run}/w`, fence: 0, lastError: null }]);
  expect(await list()).toEqual([[theirs?.id, `${other}/theirs`, 'theirs']]);
});

test('what leases of a worker have expired it can be kept from renewing, and those of others, or that live, stay', async () => {
  const run = await createRun();
  const [one] = await take(run, registry, 'a.1');
  const [two] = await take(run, registry, 'a.1', { known: [one?.id ?? ''] });
  const [three] = await take(run, registry, 'b.1');
  const expire = `UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() - interval '1 s' WHERE id = ANY ($1)`;
  await db.query(expire, [[one?.id, three?.id]]);
  await registry.distribution?.dropExpired([`${run}/a.`]);
  expect(await registry.renewLeases(`${run}/a.1`, 15_000)).toEqual([two?.id]);
  expect(await registry.renewLeases(`${run}/b.1`, 15_000)).toEqual([three?.id]);
});
