import process from 'node:process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLeaseKeeper, type LeaseKeeper } from '../../src/lifecycle/leases.js';
import { openRegistry } from '../../src/registry/index.js';
import type { Registry } from '../../src/registry/registry.js';
import type { TenantId } from '../../src/tenant.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';

let db: TestDatabase;
let registry: Registry;
let keepers: LeaseKeeper[] = [];
let number = 0;

beforeAll(async () => {
  db = await createTestDatabase();
  registry = await openRegistry({ url: db.url, create: true, applicationName: 'test' });
});

afterAll(async () => {
  await registry.close();
  await db.drop();
});

beforeEach(async () => {
  await Promise.all(keepers.map((keeper) => keeper.close()));
  keepers = [];
});

function createKeeper(owner: string): LeaseKeeper {
  const keeper = createLeaseKeeper(registry, { owner, host: 'here' });
  keepers.push(keeper);
  return keeper;
}

async function registerTenant(): Promise<string> {
  const id = `t${++number}` as TenantId;
  await registry.registerTenants([
    {
      id,
      labels: {},
      cluster: 'main',
      driver: 'postgres-schema',
      name: `tenant_${id}`,
      operation: { id: `op-${id}`, type: 'provision', cameFrom: null },
    },
  ]);
  return id;
}

const never = new AbortController().signal;

test('a tenant has one holder, who is named to the other', async () => {
  const id = await registerTenant();
  const [one, two] = [createKeeper('one'), createKeeper('two')];
  const granted = await one.acquire(id, 0, never);
  expect(granted.status).toBe('granted');
  await expect(two.acquire(id, 0, never)).rejects.toMatchObject({
    code: 'TENANCY_LOCK_HELD',
    exitCode: 5,
    details: { owner: 'one', host: 'here' },
  });
  await one.release([id]);
  expect((await two.acquire(id, 0, never)).fence).toBeGreaterThan(granted.fence);
});

test('whoever waits gets it as soon as it is free', async () => {
  const id = await registerTenant();
  const [one, two] = [createKeeper('one'), createKeeper('two')];
  await one.acquire(id, 0, never);
  const waiting = two.acquire(id, 10_000, never);
  await one.release([id]);
  await expect(waiting).resolves.toMatchObject({ status: 'granted' });
});

test('an abort ends the waiting with its reason', async () => {
  const id = await registerTenant();
  const [one, two] = [createKeeper('one'), createKeeper('two')];
  await one.acquire(id, 0, never);
  const controller = new AbortController();
  const waiting = two.acquire(id, 60_000, controller.signal);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});

test('many are asked for in one statement, each with its own answer', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, registerTenant));
  const [one, two] = [createKeeper('one'), createKeeper('two')];
  await one.tryAcquire(ids.slice(0, 5));
  const acquireLeases = vi.spyOn(registry, 'acquireLeases');
  const grants = await two.tryAcquire([...ids, 'nobody']);
  expect(acquireLeases.mock.calls.length).toBeLessThanOrEqual(2);
  acquireLeases.mockRestore();
  expect(grants.map(({ status }) => status)).toEqual([...Array(5).fill('held'), ...Array(15).fill('granted'), 'missing']);
});

test('a lease that somebody took away is noticed by the heartbeat, and only that one', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    const [first, second] = [await registerTenant(), await registerTenant()];
    const keeper = createKeeper('one');
    await keeper.tryAcquire([first, second]);
    const [watched, other] = [keeper.watch(first), keeper.watch(second)];
    await registry.breakLease(first);
    const lost = new Promise((resolve) => watched.addEventListener('abort', resolve, { once: true }));
    vi.advanceTimersByTime(5_000);
    await lost;
    expect(watched.reason).toMatchObject({ code: 'TENANCY_LEASE_LOST', details: { tenant: first } });
    expect(other.aborted).toBe(false);
    expect(keeper.watch(first).aborted).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

test('closing gives back what is still held', async () => {
  const id = await registerTenant();
  const keeper = createKeeper('one');
  await keeper.acquire(id, 0, never);
  await keeper.close();
  await expect(createKeeper('two').acquire(id, 0, never)).resolves.toMatchObject({ status: 'granted' });
});

test('what the registry said a moment ago is not asked again, what it said long ago is asked once for all', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => registerTenant()));
  let asked = 0;
  const renewLeases: Registry['renewLeases'] = (...args) => {
    asked += 1;
    return registry.renewLeases(...args);
  };
  const keeper = createLeaseKeeper({ ...registry, renewLeases }, { owner: 'sure', host: 'here' });
  keepers.push(keeper);
  await keeper.tryAcquire(ids);
  await Promise.all(ids.map((id) => keeper.makeSure(id)));
  expect(asked).toBe(0);
  // As after having stood still, with no heartbeat; by the registry's clock the leases live on.
  const real = process.hrtime.bigint();
  const clock = vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => real + 7_000_000_000n);
  await Promise.all(ids.map((id) => keeper.makeSure(id)));
  expect(asked).toBe(1);
  await Promise.all(ids.map((id) => keeper.makeSure(id)));
  expect(asked).toBe(1);
  const [first = '', second = ''] = ids;
  await registry.breakLease(first);
  clock.mockImplementation(() => real + 14_000_000_000n);
  await expect(keeper.makeSure(first)).rejects.toMatchObject({ code: 'TENANCY_LEASE_LOST' });
  await expect(keeper.makeSure(second)).resolves.toBeUndefined();
  clock.mockRestore();
});

describe('what the registry said a moment ago', () => {
  /** The clocks of this process, each put forward or back by so many ms from now on. */
  function shiftClocks({ monotonicMs, wallMs }: { readonly monotonicMs: number; readonly wallMs: number }): void {
    const [hrtime, now] = [process.hrtime.bigint(), Date.now()];
    vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => hrtime + BigInt(monotonicMs) * 1_000_000n);
    vi.spyOn(Date, 'now').mockImplementation(() => now + wallMs);
  }
  afterEach(() => {
    vi.restoreAllMocks();
  });

  // The monotonic clock of Linux stands still while the machine is suspended; the wall clock may be set.
  test.for([
    ['the machine was suspended', { monotonicMs: 100, wallMs: 3_600_000 }, true],
    ['the process stood still while the clock was set back', { monotonicMs: 7_000, wallMs: -3_600_000 }, true],
    ['the clock was set back', { monotonicMs: 100, wallMs: -3_600_000 }, false],
    ['nothing has happened', { monotonicMs: 100, wallMs: 100 }, false],
  ] as const)('is asked for anew or trusted where %s', async ([, shift, isAsked]) => {
    const id = await registerTenant();
    const keeper = createKeeper(`owner-${id}`);
    await keeper.acquire(id, 0, never);
    await registry.breakLease(id);
    shiftClocks(shift);
    const sure = keeper.makeSure(id);
    if (isAsked) await expect(sure).rejects.toMatchObject({ code: 'TENANCY_LEASE_LOST' });
    else await expect(sure).resolves.toBeUndefined();
  });

  test('ends the work of a machine that was suspended, as soon as the registry does not answer either', async () => {
    const id = await registerTenant();
    const renewLeases: Registry['renewLeases'] = () => Promise.reject(new Error('out of reach'));
    const keeper = createLeaseKeeper({ ...registry, renewLeases }, { owner: `owner-${id}`, host: 'here' });
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      await keeper.acquire(id, 0, never);
      const lost = keeper.watch(id);
      shiftClocks({ monotonicMs: 100, wallMs: 3_600_000 });
      await vi.advanceTimersByTimeAsync(5_000);
      expect(lost.reason).toMatchObject({ code: 'TENANCY_LEASE_LOST', details: { tenant: id } });
    } finally {
      vi.useRealTimers();
      await keeper.close();
    }
  });
});
