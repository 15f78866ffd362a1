import { describe, expect, test } from 'vitest';
import type { OutcomeCounts, TenantOutcome } from '../../src/outcome.js';
import type { NewRun, NewStepRecord, OutcomeRecord } from '../../src/registry/registry.js';
import { activate, lease, register, type Scene, uniqueId, untilPast } from './registry-rig.js';

const counts: OutcomeCounts = {
  applied: 2,
  'up-to-date': 5,
  failed: 1,
  unverified: 0,
  unknown: 0,
  skipped: 0,
  cancelled: 0,
  'not-started': 3,
};

function newRun(given: Partial<NewRun> = {}): NewRun {
  const id = uniqueId('run');
  return {
    id,
    command: 'migrate',
    owner: `owner-of-${id}`,
    host: 'h',
    target: '0003',
    options: { labels: { a: 'b' } },
    selected: 11,
    ...given,
  };
}

function outcomeOf(tenant: string, given: Partial<TenantOutcome> = {}): TenantOutcome {
  return { tenant, cluster: 'main', outcome: 'applied', attempts: 1, from: '0001', to: '0003', ms: 12, ...given };
}

export function describeRuns(scene: Scene): void {
  describe('steps', () => {
    test('are kept by operation and step, in the order of their first record, with their attempts', async () => {
      const { registry } = scene();
      const operationId = uniqueId('op');
      const step = (name: string, state: NewStepRecord['state'], error: string | null = null): NewStepRecord => ({
        operationId,
        tenant: 'acme',
        step: name,
        state,
        error,
        operation: 'provision',
      });
      await registry.recordSteps([step('register', 'done'), step('create', 'started')]);
      await registry.recordSteps([step('create', 'failed', 'disk full')]);
      await registry.recordSteps([step('create', 'started'), step('create', 'done'), step('migrate', 'started')]);
      const steps = await registry.readSteps(operationId);
      expect(steps.map((each) => [each.step, each.state, each.attempt, each.error])).toEqual([
        ['register', 'done', 1, null],
        ['create', 'done', 2, null],
        ['migrate', 'started', 1, null],
      ]);
      expect(steps[1]?.finishedAt).toBeInstanceOf(Date);
      expect(steps[2]?.finishedAt).toBeNull();
      expect(await registry.readSteps('not-there')).toEqual([]);
    });

    test('of one who has lost the lease are left out', async () => {
      const { registry } = scene();
      const operationId = uniqueId('op');
      const { id } = await register(registry, uniqueId('journaled'));
      const record = (state: NewStepRecord['state'], fence: number): Promise<void> =>
        registry.recordSteps([{ operationId, tenant: id, step: 'create', state, error: null, operation: 'provision', fence }]);
      const lost = await lease(registry, id, 'first', 0);
      await record('started', lost);
      const held = await lease(registry, id, 'second');
      await record('done', held);
      await record('started', lost);
      expect(await registry.readSteps(operationId)).toMatchObject([{ step: 'create', state: 'done', attempt: 1 }]);
    });
  });

  describe('runs', () => {
    test('are kept with what was asked and how they ended, and end once', async () => {
      const { registry } = scene();
      const run = newRun();
      await registry.createRun(run);
      await registry.createRun(run);
      expect(await registry.findRun(run.id)).toMatchObject({
        ...run,
        status: 'running',
        counts: null,
        exitCode: null,
        notStarted: null,
        stopped: null,
        finishedAt: null,
      });
      const stopped = { reason: 'gate', wave: 1, waves: 3, detail: 'error rate \ud800 5%\0', notStarted: 3 } as const;
      await registry.finishRun(run.id, { status: 'finished', counts, exitCode: 1, notStarted: 3, stopped });
      await registry.finishRun(run.id, { status: 'interrupted', counts, exitCode: 130, notStarted: 9, stopped: null });
      expect(await registry.findRun(run.id)).toMatchObject({
        status: 'finished',
        counts,
        exitCode: 1,
        notStarted: 3,
        stopped: { reason: 'gate', wave: 1, waves: 3, detail: expect.stringMatching(/^error rate .+5%/), notStarted: 3 },
        finishedAt: expect.any(Date),
      });
      expect(await registry.findRun('not-there')).toBeNull();
    });

    test('are listed newest first, in pages', async () => {
      const { registry } = scene();
      const runs = [newRun(), newRun(), newRun()];
      for (const run of runs) await registry.createRun(run);
      const newest = await registry.listRuns({ before: null, limit: 2 });
      expect(newest.map(({ id }) => id)).toEqual([runs[2]?.id, runs[1]?.id]);
      const next = await registry.listRuns({ before: runs[1]?.id ?? '', limit: 1 });
      expect(next.map(({ id }) => id)).toEqual([runs[0]?.id]);
    });

    test('are listed of one command, in pages too', async () => {
      const { registry } = scene();
      const runs = (['rollback', 'migrate', 'rollback', 'provision', 'rollback'] as const).map((command) => newRun({ command }));
      for (const run of runs) await registry.createRun(run);
      const newest = await registry.listRuns({ before: null, limit: 2, command: 'rollback' });
      expect(newest.map(({ id }) => id)).toEqual([runs[4]?.id, runs[2]?.id]);
      const next = await registry.listRuns({ before: newest[1]?.id ?? '', limit: 1, command: 'rollback' });
      expect(next.map(({ id }) => id)).toEqual([runs[0]?.id]);
      expect(await registry.listRuns({ before: null, limit: 2, command: 'resume' })).toEqual([]);
    });

    test('count as interrupted where the heartbeat has stopped, and not where it came back', async () => {
      const { registry } = scene();
      const run = newRun();
      await registry.createRun(run);
      expect((await registry.findRun(run.id))?.status).toBe('running');
      await registry.renewLeases(run.owner, 50);
      await untilPast(registry, 50);
      expect((await registry.findRun(run.id))?.status).toBe('interrupted');
      await registry.renewLeases(run.owner, 15_000);
      expect((await registry.findRun(run.id))?.status).toBe('running');
    });
  });

  describe('outcomes', () => {
    test('settle the tenant: version, last error, audit entry, and the lease is given back', async () => {
      const { registry } = scene();
      const run = newRun();
      const [good, bad] = [uniqueId('a-good'), uniqueId('b-bad')];
      const fences = [await activate(registry, good, run.owner), await activate(registry, bad, run.owner)];
      await registry.createRun(run);
      const error = { code: 'TENANCY_MIGRATION_FAILED', message: 'line 3', hook: 'migrate', retryable: false, log: null };
      const lastError = { code: error.code, message: error.message, step: 'migrate', at: '2026-01-01T00:00:00.000Z' };
      await registry.recordOutcomes(run.id, [
        {
          outcome: outcomeOf(good),
          owner: run.owner,
          fence: fences[0] ?? 0,
          version: { schemaVersion: '0003', migrationsHash: 'h3' },
          lastError: null,
        },
        { outcome: outcomeOf(bad, { outcome: 'failed', error }), owner: run.owner, fence: fences[1] ?? 0, lastError },
      ]);
      expect(await registry.findTenant(good)).toMatchObject({
        schemaVersion: '0003',
        migrationsHash: 'h3',
        lastError: null,
        lease: null,
        status: 'active',
      });
      expect(await registry.findTenant(bad)).toMatchObject({ schemaVersion: null, lastError, lease: null, status: 'active' });
      const [entry] = (await registry.listEvents(bad, { after: 0, limit: 10 })).slice(-1);
      expect(entry).toMatchObject({ runId: run.id, type: 'tenant.settled', data: { outcome: 'failed', code: error.code } });
      expect(await registry.listOutcomes(run.id, {}, { after: null, limit: 10 })).toEqual([
        outcomeOf(good),
        outcomeOf(bad, { outcome: 'failed', error }),
      ]);
      expect(await registry.listOutcomes(run.id, { outcomes: ['failed'] }, { after: null, limit: 10 })).toHaveLength(1);
      expect(await registry.listOutcomes(run.id, {}, { after: good, limit: 10 })).toEqual([outcomeOf(bad, { outcome: 'failed', error })]);
    });

    test('of an owner who lost the lease are in the run, and change nothing in the tenant', async () => {
      const { registry } = scene();
      const run = newRun();
      const id = uniqueId('zombie');
      const fence = await activate(registry, id, run.owner);
      await registry.createRun(run);
      await registry.breakLease(id);
      const newer = await lease(registry, id, 'newer');
      const version = { schemaVersion: '0003', migrationsHash: 'h3' };
      await registry.recordOutcomes(run.id, [{ outcome: outcomeOf(id), owner: run.owner, fence, version, lastError: null }]);
      expect(await registry.findTenant(id)).toMatchObject({ schemaVersion: null, fence: newer, lease: { owner: 'newer' } });
      expect(await registry.listOutcomes(run.id, {}, { after: null, limit: 10 })).toHaveLength(1);
    });

    test('move the tenant on to another status in the same statement, from the statuses named only', async () => {
      const { registry } = scene();
      const run = newRun({ command: 'deprovision' });
      const [gone, kept] = [uniqueId('a-gone'), uniqueId('b-kept')];
      const fences = [await activate(registry, gone, run.owner), await activate(registry, kept, run.owner)];
      await registry.createRun(run);
      const settle = (tenant: string, fence: number | undefined, from: 'active' | 'deprovisioning'): OutcomeRecord => ({
        outcome: outcomeOf(tenant, { outcome: 'failed' }),
        owner: run.owner,
        fence: fence ?? 0,
        lastError: null,
        transition: { from: [from], to: 'failed' },
      });
      await registry.recordOutcomes(run.id, [settle(gone, fences[0], 'active'), settle(kept, fences[1], 'deprovisioning')]);
      expect((await registry.findTenant(gone))?.status).toBe('failed');
      expect((await registry.findTenant(kept))?.status).toBe('active');
      const toldOf = async (id: string) => (await registry.listEvents(id, { after: 0, limit: 100 })).at(-1)?.data;
      expect(await toldOf(gone)).toMatchObject({ outcome: 'failed', status: 'failed' });
      expect(await toldOf(kept)).not.toHaveProperty('status');
    });

    test('of a tenant that was never started only give its lease back', async () => {
      const { registry } = scene();
      const run = newRun();
      const id = uniqueId('idle');
      const fence = await activate(registry, id, run.owner);
      await registry.createRun(run);
      const lastError = { code: 'X', message: 'from before', step: null, at: '2026-01-01T00:00:00.000Z' };
      await registry.updateTenants([{ id, fence, from: ['active'], set: { lastError }, runId: null, event: 'tenant.failed' }]);
      await registry.recordOutcomes(run.id, [
        { outcome: outcomeOf(id, { outcome: 'not-started', attempts: 0 }), owner: run.owner, fence, lastError: null },
      ]);
      expect(await registry.findTenant(id)).toMatchObject({ lastError, lease: null });
    });
  });
}
