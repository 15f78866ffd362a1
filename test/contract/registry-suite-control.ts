import { describe, expect, test } from 'vitest';
import type { OutcomeCounts, TenantOutcome } from '../../src/outcome.js';
import type { NewRun, Registry, RunControl, RunControlChange } from '../../src/registry/registry.js';
import { activate, fulfilled, lease, race, type Scene, uniqueId, untilPast } from './registry-rig.js';

const counts: OutcomeCounts = {
  applied: 0,
  'up-to-date': 0,
  failed: 0,
  unverified: 0,
  unknown: 0,
  skipped: 0,
  cancelled: 0,
  'not-started': 3,
};

async function begin(registry: Registry): Promise<NewRun> {
  const id = uniqueId('run');
  const run: NewRun = { id, command: 'migrate', owner: `owner-of-${id}`, host: 'h', target: null, options: {}, selected: 3 };
  await registry.createRun(run);
  return run;
}

const hear = (registry: Registry, { id, owner }: NewRun, isHolding = false): Promise<RunControl | null> =>
  registry.hearRun(id, { owner, ttlMs: 15_000, isHolding });

/** What its process being killed comes to. */
async function die(registry: Registry, run: NewRun): Promise<void> {
  await registry.hearRun(run.id, { owner: run.owner, ttlMs: 20, isHolding: false });
  await untilPast(registry, 20);
}

const pause: RunControlChange = { from: ['go-on'], to: 'pause', by: 'elsewhere' };

/** How a run is paused, gone on with and ended from elsewhere. */
export function describeRunControl(scene: Scene): void {
  describe('the control of a run', () => {
    test('is heard by its process, whose answer is what others see', async () => {
      const { registry } = scene();
      const run = await begin(registry);
      expect(await hear(registry, run)).toBe('go-on');
      expect(await registry.controlRun(run.id, pause)).toBe(true);
      expect(await registry.findRun(run.id)).toMatchObject({ status: 'running', control: 'pause', controlBy: 'elsewhere', pausedAt: null });
      expect(await hear(registry, run)).toBe('pause');
      await hear(registry, run, true);
      const paused = await registry.findRun(run.id);
      expect(paused).toMatchObject({ status: 'paused', pausedAt: expect.any(Date) });
      await hear(registry, run, true);
      expect(await registry.findRun(run.id)).toEqual(paused);
      expect(await registry.controlRun(run.id, { from: ['pause'], to: 'go-on', by: 'elsewhere' })).toBe(true);
      expect(await hear(registry, run)).toBe('go-on');
      expect(await registry.findRun(run.id)).toMatchObject({ status: 'running', control: 'go-on', pausedAt: null });
      expect(await registry.listRuns({ before: null, limit: 1 })).toMatchObject([{ id: run.id, status: 'running' }]);
    });

    test('is changed from what it was said to be only, and by one of many at once', async () => {
      const { registry, subject } = scene();
      const run = await begin(registry);
      const answers = fulfilled(await race(subject, 6, (client) => client.controlRun(run.id, pause)));
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect(await registry.controlRun(run.id, { from: ['go-on'], to: 'cancel', by: 'h' })).toBe(false);
      expect(await registry.controlRun(run.id, { from: ['go-on', 'pause'], to: 'cancel', by: 'h' })).toBe(true);
      expect(await hear(registry, run)).toBe('cancel');
      expect(await registry.controlRun('not-there', pause)).toBe(false);
    });

    test('is not of a run that has ended, or whose process has died', async () => {
      const { registry } = scene();
      const [ended, dead] = [await begin(registry), await begin(registry)];
      await registry.finishRun(ended.id, { status: 'finished', counts, exitCode: 0, notStarted: 0 });
      await die(registry, dead);
      expect([await registry.controlRun(ended.id, pause), await registry.controlRun(dead.id, pause)]).toEqual([false, false]);
      expect(await hear(registry, ended)).toBeNull();
    });

    test('keeps a run alive that holds no lease, and a paused one whose process dies is interrupted', async () => {
      const { registry } = scene();
      const run = await begin(registry);
      await registry.renewLeases(run.owner, 20);
      await hear(registry, run, true);
      await untilPast(registry, 20);
      expect((await registry.findRun(run.id))?.status).toBe('paused');
      await registry.hearRun(run.id, { owner: run.owner, ttlMs: 20, isHolding: true });
      await untilPast(registry, 20);
      expect((await registry.findRun(run.id))?.status).toBe('interrupted');
    });

    test('that ended a run leaves it cancelled, with the reason', async () => {
      const { registry } = scene();
      const run = await begin(registry);
      const { owner } = run;
      await registry.finishRun(run.id, { status: 'interrupted', counts, exitCode: 130, notStarted: 3, owner, reason: 'cancelled' });
      expect(await registry.findRun(run.id)).toMatchObject({ status: 'cancelled', endReason: 'cancelled', exitCode: 130 });
    });
  });

  describe('a run', () => {
    test('is taken over by one of many where its process has died, and its old owner has nothing to say any more', async () => {
      const { registry, subject } = scene();
      const run = await begin(registry);
      await registry.controlRun(run.id, pause);
      await die(registry, run);
      const taken = await race(subject, 6, async (client, index) => {
        const owner = `heir-${index}-of-${run.id}`;
        return (await client.takeOverRun(run.id, { owner, host: 'new' })) ? owner : null;
      });
      const heirs = fulfilled(taken).filter((owner) => owner !== null);
      expect(heirs).toHaveLength(1);
      const owner = heirs[0] ?? '';
      expect(await registry.findRun(run.id)).toMatchObject({ status: 'running', owner, host: 'new', control: 'go-on', controlBy: null });
      expect(await registry.takeOverRun(run.id, { owner, host: 'new' })).toBe(true);
      expect(await hear(registry, run)).toBeNull();
      await registry.finishRun(run.id, { status: 'finished', counts, exitCode: 0, notStarted: 0, owner: run.owner });
      expect((await registry.findRun(run.id))?.status).toBe('running');
      await registry.finishRun(run.id, { status: 'finished', counts, exitCode: 0, notStarted: 0, owner });
      expect((await registry.findRun(run.id))?.status).toBe('finished');
    });

    test('is taken over where it was interrupted, and neither where it goes on, has finished or was cancelled', async () => {
      const { registry } = scene();
      const ending = { counts, exitCode: 130, notStarted: 3 };
      const [going, interrupted, finished, cancelled] = [
        await begin(registry),
        await begin(registry),
        await begin(registry),
        await begin(registry),
      ];
      await registry.finishRun(interrupted.id, { ...ending, status: 'interrupted', reason: 'interrupted' });
      await registry.finishRun(finished.id, { ...ending, status: 'finished' });
      await registry.finishRun(cancelled.id, { ...ending, status: 'interrupted', reason: 'cancelled' });
      const answers = await Promise.all(
        [going, interrupted, finished, cancelled, { id: 'not-there' }].map(({ id }) =>
          registry.takeOverRun(id, { owner: `heir-of-${id}`, host: 'new' }),
        ),
      );
      expect(answers).toEqual([false, true, false, false, false]);
      expect(await registry.findRun(interrupted.id)).toMatchObject({
        status: 'running',
        counts: null,
        exitCode: null,
        notStarted: null,
        finishedAt: null,
        endReason: null,
      });
    });

    test('keeps what the holder of a lease said of a tenant, whatever one says who lost it', async () => {
      const { registry } = scene();
      const run = await begin(registry);
      const tenant = uniqueId('taken');
      const say = async (owner: string, fence: number, outcome: TenantOutcome['outcome']): Promise<unknown> => {
        const told: TenantOutcome = { tenant, cluster: 'main', outcome, attempts: 1, from: null, to: null, ms: 1 };
        await registry.recordOutcomes(run.id, [{ outcome: told, owner, fence, lastError: null }]);
        return (await registry.listOutcomes(run.id, {}, { after: null, limit: 10 })).map((each) => each.outcome);
      };
      const first = await activate(registry, tenant, run.owner);
      expect(await say(run.owner, 0, 'not-started')).toEqual(['not-started']);
      await registry.breakLease(tenant);
      const second = await lease(registry, tenant, 'heir');
      expect(await say(run.owner, first, 'failed')).toEqual(['failed']);
      expect(await say('heir', second, 'applied')).toEqual(['applied']);
      expect(await say(run.owner, first, 'failed')).toEqual(['applied']);
      expect(await say(run.owner, 0, 'not-started')).toEqual(['applied']);
      expect(await registry.countOutcomes(run.id)).toEqual({ ...counts, applied: 1, 'not-started': 0 });
    });
  });
}
