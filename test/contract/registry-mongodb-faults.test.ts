import { MongoClient } from 'mongodb';
import { afterEach, describe, expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import type { OutcomeRecord, Registry } from '../../src/registry/registry.js';
import { until } from '../rig/gate.js';
import { createMongodbProxy, type MongodbProxy, type ProxiedCommand } from '../rig/mongodb-proxy.js';
import { createMongodbSubject, type MongodbSubject } from './registry-mongodb-rig.js';
import { change, lease, newTenant, register } from './registry-rig.js';
import { type FaultsPlace, testConnections } from './registry-suite-faults.js';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function makeSubject(): Promise<MongodbSubject> {
  const subject = await createMongodbSubject();
  ends.push(() => subject.drop());
  return subject;
}

async function open({ applicationName }: MongodbSubject, url: string, create = false): Promise<Registry> {
  const registry = await openRegistry({ url, create, applicationName, maxConnections: 2 });
  ends.push(() => registry.close());
  return registry;
}

async function makePlace(): Promise<FaultsPlace> {
  const subject = await makeSubject();
  const { url, assertNoConnections } = subject;
  return { url, open: (to, create) => open(subject, to, create), assertNoConnections };
}

interface Line {
  readonly proxy: MongodbProxy;
  /** Consulted for each command until it is put back to null. */
  judge: ((command: ProxiedCommand) => 'forward' | 'drop' | Promise<'forward' | 'drop'>) | null;
}

async function makeLine(url: string): Promise<Line> {
  const state: { judge: Line['judge'] } = { judge: null };
  const proxy = await createMongodbProxy(url, { onCommand: (command) => state.judge?.(command) ?? 'forward' });
  ends.push(() => proxy.close());
  return Object.assign(state, { proxy });
}

/** A client of the test's own on the registry's database. */
async function connect({ url }: MongodbSubject): Promise<MongoClient> {
  const client = new MongoClient(url, { appName: 'rig' });
  ends.push(() => client.close());
  return client;
}

function settle(tenant: string, owner: string, fence: number): OutcomeRecord {
  const outcome = { tenant, cluster: 'main', outcome: 'applied', attempts: 1, from: null, to: '1', ms: 1 } as const;
  return { outcome, owner, fence, version: { schemaVersion: '1', migrationsHash: 'h' }, lastError: null };
}

describe('connections', () => {
  testConnections(makePlace, async (url) => (await makeLine(url)).proxy);

  test('that are cut are made again, in the middle of the work', async () => {
    const subject = await makeSubject();
    const line = await makeLine(subject.url);
    const registry = await open(subject, line.proxy.url, true);
    await register(registry, 'acme');
    for (let round = 0; round < 3; round++) {
      let commands = 0;
      line.judge = ({ phase }) => (phase === 'before' && ++commands === 12 ? 'drop' : 'forward');
      const work = Array.from({ length: 10 }, () => registry.acquireLeases(['acme'], { owner: 'o', host: 'h', ttlMs: 15_000 }));
      for (const [grant] of await Promise.all(work)) expect(grant?.status).toBe('granted');
      expect(commands).toBeGreaterThan(30);
    }
  });
});

describe('round trips', () => {
  test.each([
    [1, 'one'],
    [200, 'two hundred'],
  ])('of a batch of %i are as many as of any', async (count) => {
    const subject = await makeSubject();
    const { proxy } = await makeLine(subject.url);
    const registry = await open(subject, proxy.url, true);
    await registry.createRun({ id: 'run', command: 'migrate', owner: 'me', host: 'h', target: null, options: {}, selected: count });
    const ids = Array.from({ length: count }, (_, index) => `tenant-${index}`);
    const tripsOf = async <T>(call: () => Promise<T>): Promise<{ trips: number; answer: T }> => {
      const before = proxy.commandCount;
      const answer = await call();
      return { trips: proxy.commandCount - before, answer };
    };

    const registered = await tripsOf(() => registry.registerTenants(ids.map((id) => newTenant(id))));
    const leased = await tripsOf(() => registry.acquireLeases(ids, { owner: 'me', host: 'h', ttlMs: 15_000 }));
    const fences = new Map(leased.answer.flatMap((grant) => (grant.status === 'granted' ? [[grant.id, grant.fence] as const] : [])));
    expect(new Set(fences.values()).size).toBe(count);
    const renewed = await tripsOf(() => registry.renewLeases('me', 15_000));
    expect(renewed.answer).toHaveLength(count);
    const changes = ids.map((id) => change(id, fences.get(id) ?? 0, { to: 'active' }));
    const changed = await tripsOf(() => registry.updateTenants(changes));
    expect(changed.answer).toHaveLength(count);
    const steps = ids.map((id) => ({ operationId: id, tenant: id, step: 'create', state: 'started', error: null }) as const);
    const journaled = await tripsOf(() =>
      registry.recordSteps(steps.map((step) => ({ ...step, operation: 'provision' as const, fence: fences.get(step.tenant) ?? 0 }))),
    );
    const settled = await tripsOf(() =>
      registry.recordOutcomes(
        'run',
        ids.map((id) => settle(id, 'me', fences.get(id) ?? 0)),
      ),
    );
    const released = await tripsOf(() => registry.releaseLeases('me', ids));
    const listed = await tripsOf(() => registry.listTenants({ statuses: ['active'] }, { after: null, limit: 500 }));
    expect(listed.answer.every(({ schemaVersion, lease: held }) => schemaVersion === '1' && held === null)).toBe(true);

    const trips = [registered, leased, renewed, changed, journaled, settled, released].map((each) => each.trips);
    expect(trips).toEqual([7, 3, 3, 7, 5, 8, 1]);
  });

  test('of opening one that is up to date are two commands at once', async () => {
    const subject = await makeSubject();
    await open(subject, subject.url, true);
    const { proxy } = await makeLine(subject.url);
    await open(subject, proxy.url);
    expect(proxy.commandCount).toBe(2);
  });
});

describe.each(['before', 'after'] as const)('a connection cut %s a command was carried out', (phase) => {
  /** Carries the call out as often as it has commands, each time with another one cut. */
  async function cutEverywhere<P>(
    prepare: (registry: Registry, name: string) => Promise<P>,
    call: (registry: Registry, prepared: P) => Promise<void>,
  ) {
    const subject = await makeSubject();
    await open(subject, subject.url, true);
    const line = await makeLine(subject.url);
    const registry = await open(subject, line.proxy.url);
    for (let at = 1; ; at++) {
      const prepared = await prepare(registry, `case-${at}`);
      const seen = { commands: 0, cuts: 0 };
      line.judge = (command) => {
        if (command.phase !== phase || ++seen.commands !== at) return 'forward';
        seen.cuts++;
        return 'drop';
      };
      await call(registry, prepared);
      line.judge = null;
      if (seen.cuts === 0) return at - 1;
    }
  }

  async function prepareLeased(registry: Registry, id: string): Promise<{ id: string; fence: number }> {
    await register(registry, id);
    await registry.createRun({ id, command: 'migrate', owner: 'me', host: 'h', target: null, options: {}, selected: 1 });
    return { id, fence: await lease(registry, id, 'me') };
  }

  async function eventsOf(registry: Registry, id: string): Promise<string[]> {
    return (await registry.listEvents(id, { after: 0, limit: 50 })).map(({ type }) => type);
  }

  test('changes nothing about the answer, nor about what is kept', async () => {
    const sweeps = {
      registering: cutEverywhere(
        async (_, id) => id,
        async (registry, id) => {
          expect(await registry.registerTenants([newTenant(id)])).toMatchObject([{ isNew: true, tenant: { incarnation: 1 } }]);
          expect(await eventsOf(registry, id)).toEqual(['tenant.registered']);
        },
      ),
      leasing: cutEverywhere(
        async (registry, id) => (await register(registry, id)).id,
        async (registry, id) => {
          const fence = await lease(registry, id, 'me');
          expect(await registry.findTenant(id)).toMatchObject({ fence, lease: { owner: 'me' } });
        },
      ),
      renewing: cutEverywhere(prepareLeased, async (registry, { id }) => {
        expect(await registry.renewLeases('me', 15_000)).toContain(id);
      }),
      changing: cutEverywhere(prepareLeased, async (registry, { id, fence }) => {
        const activated = change(id, fence, { to: 'active', event: 'tenant.activated' });
        expect(await registry.updateTenants([activated])).toMatchObject([{ id, status: 'active' }]);
        expect(await eventsOf(registry, id)).toEqual(['tenant.registered', 'tenant.activated']);
      }),
      steps: cutEverywhere(prepareLeased, async (registry, { id, fence }) => {
        const step = { operationId: id, tenant: id, step: 'create', state: 'started', error: null, operation: 'provision', fence } as const;
        await registry.recordSteps([step]);
        expect(await registry.readSteps(id)).toMatchObject([{ attempt: 1 }]);
      }),
      outcomes: cutEverywhere(prepareLeased, async (registry, { id, fence }) => {
        await registry.recordOutcomes(id, [settle(id, 'me', fence)]);
        expect(await registry.findTenant(id)).toMatchObject({ schemaVersion: '1', lease: null });
        expect(await eventsOf(registry, id)).toEqual(['tenant.registered', 'tenant.settled']);
      }),
      breaking: cutEverywhere(prepareLeased, async (registry, { id }) => {
        expect(await registry.breakLease(id)).toMatchObject({ owner: 'me' });
        expect(await eventsOf(registry, id)).toEqual(['tenant.registered', 'lease.broken']);
      }),
      forgetting: cutEverywhere(prepareLeased, async (registry, { id, fence }) => {
        expect(await registry.forgetTenant(id, fence)).toBe(true);
        expect(await eventsOf(registry, id)).toEqual(['tenant.registered', 'tenant.forgotten']);
      }),
      runsAndClusters: cutEverywhere(
        async (_, name) => name,
        async (registry, name) => {
          await registry.createRun({ id: name, command: 'migrate', owner: name, host: 'h', target: null, options: {}, selected: 1 });
          expect(await registry.checkCluster(name, 'x', { accept: true })).toEqual({ status: 'new' });
          expect((await registry.findRun(name))?.status).toBe('running');
        },
      ),
    };
    const cuts = await Promise.all(Object.entries(sweeps).map(async ([name, sweep]) => [name, await sweep]));
    expect(Object.fromEntries(cuts)).toEqual({
      registering: 8,
      leasing: 4,
      renewing: 3,
      changing: 8,
      steps: 6,
      outcomes: 10,
      breaking: 8,
      forgetting: 8,
      runsAndClusters: 16,
    });
  }, 60_000);
});

/** Another process's change of `acme`, written and never committed: nothing more comes from it, and the server isn't told. */
async function leaveChange(subject: MongodbSubject): Promise<{ readonly doomed: Registry; readonly lost: Promise<unknown> }> {
  const line = await makeLine(subject.url);
  const doomed = await open(subject, line.proxy.url);
  let reached = (): void => undefined;
  const isWritten = new Promise<void>((resolve) => {
    reached = resolve;
  });
  // Nothing more comes from that process, and the server isn't told.
  line.judge = ({ name, phase, collection }) => {
    if (name !== 'update' || collection !== 'tenancy.tenants' || phase !== 'after') return 'forward';
    line.proxy.setBlackHole(true);
    reached();
    return 'forward';
  };
  const lost = doomed.updateTenants([change('acme', null, { set: { labels: { by: 'doomed' } } })]);
  lost.catch(() => undefined);
  await isWritten;
  return { doomed, lost };
}

test('what a process had begun that died in the middle of a transaction keeps nobody waiting for long', async () => {
  const subject = await makeSubject();
  const registry = await open(subject, subject.url, true);
  await register(registry, 'acme');
  const { doomed, lost } = await leaveChange(subject);

  const start = performance.now();
  const [changed, [grant]] = await Promise.all([
    registry.updateTenants([change('acme', null, { set: { labels: { by: 'heir' } } })]),
    registry.acquireLeases(['acme'], { owner: 'heir', host: 'h', ttlMs: 15_000 }),
  ]);
  expect(performance.now() - start).toBeLessThan(10_000);
  expect(changed).toMatchObject([{ labels: { by: 'heir' } }]);
  expect(grant?.status).toBe('granted');
  await doomed.close();
  await expect(lost).rejects.toMatchObject({ code: 'TENANCY_REGISTRY_UNREACHABLE' });
  expect((await registry.findTenant('acme'))?.labels).toEqual({ by: 'heir' });
}, 30_000);

test('who wants a lease that a dead process has long written over waits for it once', async () => {
  const subject = await makeSubject();
  const registry = await open(subject, subject.url, true);
  await register(registry, 'acme');
  const { doomed, lost } = await leaveChange(subject);
  // As where its lease had to run out first: by then nobody has gone on with it for long.
  const idle = [
    { $currentOp: { allUsers: true, idleSessions: true } },
    { $match: { 'transaction.timeInactiveMicros': { $gt: 4_100_000 } } },
  ];
  const client = await connect(subject);
  await until(async () => (await client.db('admin').aggregate(idle).toArray()).length > 0, 'it to be idle');
  const line = await makeLine(subject.url);
  const heir = await open(subject, line.proxy.url);
  let tries = 0;
  line.judge = ({ name, phase, collection }) => {
    if (name === 'update' && collection === 'tenancy.tenants' && phase === 'before') tries += 1;
    return 'forward';
  };
  const [grant] = await heir.acquireLeases(['acme'], { owner: 'heir', host: 'h', ttlMs: 15_000 });
  expect([grant?.status, tries]).toEqual(['granted', 2]);
  await doomed.close();
  await expect(lost).rejects.toMatchObject({ code: 'TENANCY_REGISTRY_UNREACHABLE' });
}, 30_000);

test('eight processes that want the same tenant: one has it, and none of them is told of a conflict', async () => {
  const subject = await makeSubject();
  const registries = await Promise.all(Array.from({ length: 8 }, () => open(subject, subject.url, true)));
  await register(registries[0] as Registry, 'acme');
  for (let round = 1; round <= 5; round++) {
    const answers = await Promise.all(
      registries.map((registry, index) => registry.acquireLeases(['acme'], { owner: `o${index}`, host: 'h', ttlMs: 15_000 })),
    );
    const granted = answers.flat().flatMap((grant) => (grant.status === 'granted' ? [grant] : []));
    expect(granted).toHaveLength(1);
    const [{ fence, tenant }] = granted as [(typeof granted)[number]];
    const owner = tenant.lease?.owner ?? '';
    await Promise.all([
      ...registries.map((registry) => registry.renewLeases(owner, 15_000)),
      ...registries.map((registry) => registry.updateTenants([change('acme', null, { set: { labels: { round: String(round) } } })])),
    ]);
    expect((await registries[0]?.findTenant('acme'))?.fence).toBe(fence);
    await registries[0]?.releaseLeases(owner, ['acme']);
  }
  const events = (await registries[0]?.listEvents('acme', { after: 0, limit: 100 })) ?? [];
  expect(events).toHaveLength(1 + 5 * 8);
  const sequences = events.map(({ sequence }) => sequence);
  expect(new Set(sequences).size).toBe(sequences.length);
});

test('names with dots and dollars, texts with NUL and half a character, and long ones, are kept with their batch', async () => {
  const subject = await makeSubject();
  const registry = await open(subject, subject.url, true);
  const labels = { 'app.kubernetes.io/name': 'x', $set: '$x', '50%': '%24', ['__proto__']: 'own' };
  const tenant = await register(registry, 'odd', { labels });
  expect(tenant.labels).toEqual(labels);
  expect(await registry.countTenants({ labels: { 'app.kubernetes.io/name': 'x', $set: '$x' } })).toBe(1);
  await registry.updateTenants([change('odd', null, { set: { labels } })]);
  const [, changed] = await registry.listEvents('odd', { after: 0, limit: 9 });
  expect(changed?.data).toEqual({ set: { labels } });
  const options = { labels, 'a.b': [{ $x: 1, 'nul\0': 2 }], none: null };
  await registry.createRun({ id: 'run', command: 'migrate', owner: '$me', host: '$h', target: null, options, selected: 1 });
  expect((await registry.findRun('run'))?.options).toEqual(options);
  const message = `a\0b ${'\ud800'} ${'x'.repeat(100_000)}`;
  const lastError = { code: 'X', message, step: '$step', at: '2026-01-01T00:00:00Z' };
  const fence = await lease(registry, 'odd', '$me');
  expect((await registry.findTenant('odd'))?.lease?.owner).toBe('$me');
  await registry.recordOutcomes('run', [{ ...settle('odd', '$me', fence), lastError }]);
  expect((await registry.findTenant('odd'))?.lastError?.message).toBe(message.replace('\0', '\ufffd').replace('\ud800', '\ufffd'));
});

test("a lease is by the server's clock, whatever the client's says", async () => {
  const subject = await makeSubject();
  const registry = await open(subject, subject.url, true);
  await register(registry, 'acme');
  const { now } = Date;
  try {
    Date.now = () => now() + 24 * 60 * 60 * 1000;
    await lease(registry, 'acme', 'ahead', 3_000);
    expect((await registry.findTenant('acme'))?.lease?.isExpired).toBe(false);
  } finally {
    Date.now = now;
  }
  await until(async () => (await registry.findTenant('acme'))?.lease?.isExpired === true, 'the lease to end');
  const client = await connect(subject);
  const [stored] = await client.db(subject.database).collection('tenancy.tenants').find().toArray();
  expect(Math.abs(Number(stored?.['lease'].since) - now())).toBeLessThan(60_000);
});
