import { describe, expect, test } from 'vitest';
import type { TenantOutcome } from '../../src/outcome.js';
import type { AuditActor, NewRun, OutcomeRecord, Registry } from '../../src/registry/registry.js';
import { type AuditBreak, type AuditVerification, verifyAudit } from '../../src/runs/audit/verify-audit.js';
import { activate, change, fulfilled, lease, race, register, type Scene, uniqueId } from './registry-rig.js';

const actor: AuditActor = { user: 'ada', knownBy: 'TENANCY_ACTOR', host: 'ci-3', pid: 4711, command: 'tenant migrate' };
const OWNER = 'auditor';

function newRun(id: string): NewRun {
  return { id, command: 'migrate', owner: OWNER, host: 'h', target: '0003', options: {}, selected: 1 };
}

/** What a run tells of a tenant whose lease it has. */
function recordOf(tenant: string, fence: number, given: Partial<OutcomeRecord> = {}): OutcomeRecord {
  const outcome: TenantOutcome = { tenant, cluster: 'main', outcome: 'applied', attempts: 1, from: '0001', to: '0003', ms: 12 };
  return { outcome, owner: OWNER, fence, lastError: null, ...given };
}

/** Six events: registered, activated, settled by two runs that have ended, and two changes. */
async function trailOf(
  registry: Registry,
  tenant = uniqueId('trail'),
): Promise<{ readonly tenant: string; readonly runs: readonly string[] }> {
  let fence = await activate(registry, tenant, OWNER);
  const runs: string[] = [];
  for (const _ of [1, 2]) {
    const run = uniqueId('run');
    runs.push(run);
    await registry.createRun(newRun(run));
    fence = await lease(registry, tenant, OWNER);
    await registry.recordOutcomes(run, [recordOf(tenant, fence)]);
    await registry.finishRun(run, { status: 'finished', counts: NONE, exitCode: 0, notStarted: 0 });
  }
  for (const isProtected of [true, false]) {
    await registry.updateTenants([change(tenant, null, { from: ['active'], set: { isProtected }, event: 'tenant.protected' })]);
  }
  return { tenant, runs };
}

const NONE = { applied: 0, 'up-to-date': 0, failed: 0, unverified: 0, unknown: 0, skipped: 0, cancelled: 0, 'not-started': 0 };

const verify = (registry: Registry, tenant: string | null = null): Promise<AuditVerification> => verifyAudit(registry, { tenant });

const told = (breaks: readonly AuditBreak[]) => breaks.map(({ tenant, damage, from, to }) => ({ tenant, damage, from, to }));

export function describeAudit(scene: Scene): void {
  describe('the audit trail', () => {
    test('of everything that was done in this suite is whole', async () => {
      const { registry } = scene();
      const found = await verify(registry);
      expect(found.breaks).toEqual([]);
      expect(found.chains).toBeGreaterThan(10);
      expect(found.runs).toBeGreaterThan(0);
    });

    test('chains the events of each tenant, and says who, from where, by which login', async () => {
      const { subject } = scene();
      const registry = await subject.open({ actor });
      const { tenant } = await trailOf(registry);
      const events = await registry.listEvents(tenant, { after: 0, limit: 100 });
      expect(events.map(({ place }) => place)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(new Set(events.map(({ hash }) => hash)).size).toBe(6);
      for (const event of events) {
        expect(event.actor).toEqual(actor);
        expect(event.login).toMatch(/./);
        expect(event.hash).toMatch(/^[0-9a-f]{64}$/);
      }
      const chained = await registry.readChains({ chain: tenant, after: null, limit: 100 });
      expect(chained.map(({ previous }) => previous)).toEqual(['0'.repeat(64), ...events.slice(0, -1).map(({ hash }) => hash)]);
      expect(await registry.readHeads({ chain: tenant, after: null, limit: 10 })).toEqual([
        { chain: tenant, place: 6, hash: events.at(-1)?.hash },
      ]);
      expect(await verify(registry, tenant)).toMatchObject({ chains: 1, events: 6, broken: 0 });
      await registry.close();
    });

    test('keeps what was sent to the tenant with the outcome', async () => {
      const { registry } = scene();
      const tenant = uniqueId('touched');
      const fence = await activate(registry, tenant, OWNER);
      const run = uniqueId('run');
      await registry.createRun(newRun(run));
      const touched = [
        { what: 'migrate', migrations: [{ name: '0001_ä\n"b"', checksum: 'c'.repeat(64) }] },
        { what: 'seed', isFailed: true, detail: 'a "quoted"\nline \\ with é and \u{1f600}' },
      ] as const;
      await registry.recordOutcomes(run, [recordOf(tenant, fence, { touched })]);
      const events = await registry.listEvents(tenant, { after: 0, limit: 100 });
      expect(events.at(-1)).toMatchObject({ type: 'tenant.settled', runId: run, data: { touched } });
      expect((await verify(registry, tenant)).breaks).toEqual([]);
    });

    test('is listed from a time on, also that which belongs to no tenant', async () => {
      const { registry } = scene();
      const { tenant, runs } = await trailOf(registry);
      const all = await registry.listEvents(tenant, { after: 0, limit: 100 });
      const since = all[3]?.at ?? new Date();
      const later = await registry.listEvents(tenant, { after: 0, limit: 100, since });
      expect(later.length).toBeGreaterThanOrEqual(3);
      expect(later.length).toBeLessThanOrEqual(all.filter(({ at }) => at >= since).length);
      const own = await registry.listEvents(null, { after: all[0]?.sequence ?? 0, limit: 1_000 });
      expect(own.filter(({ runId }) => runId === runs[0]).map(({ type }) => type)).toEqual(['run.started', 'run.finished']);
    });

    test('is read from its end, in its own order', async () => {
      const { registry } = scene();
      const { tenant } = await trailOf(registry);
      const all = await registry.listEvents(tenant, { after: 0, limit: 100 });
      expect(await registry.listNewestEvents(tenant, 2)).toEqual(all.slice(-2));
      expect(await registry.listNewestEvents(tenant, 100)).toEqual(all);
      expect(await registry.listNewestEvents(uniqueId('nobody'), 2)).toEqual([]);
    });

    test('by eight at once doesn’t fork', async () => {
      const { registry, subject } = scene();
      const tenant = uniqueId('raced');
      await register(registry, tenant);
      const changed = await race(subject, 8, async (client, index) => {
        for (let round = 0; round < 5; round += 1) {
          const set = { labels: { by: `${index}.${round}` } };
          await client.updateTenants([change(tenant, null, { set, event: 'tenant.labelled' })]);
          await client.createRun(newRun(uniqueId('run')));
        }
      });
      expect(fulfilled(changed)).toHaveLength(8);
      expect(await verify(registry, tenant)).toMatchObject({ events: 41, broken: 0 });
      expect(await verify(registry, '*')).toMatchObject({ broken: 0 });
    });

    test('tells an event that was edited', async () => {
      const { registry, subject } = scene();
      const { tenant } = await trailOf(registry);
      await subject.tamper.edit(tenant, 3);
      const { breaks } = await verify(registry, tenant);
      expect(told(breaks)).toEqual([{ tenant, damage: 'edited', from: 3, to: 3 }]);
      expect(breaks[0]).toMatchObject({ event: 'tenant.settled', reason: 'event 3 (tenant.settled) was edited' });
    });

    test('tells an event that was taken out', async () => {
      const { registry, subject } = scene();
      const { tenant } = await trailOf(registry);
      await subject.tamper.remove(tenant, 2);
      expect(told((await verify(registry, tenant)).breaks)).toEqual([{ tenant, damage: 'removed', from: 2, to: 2 }]);
    });

    test('tells an event that was put in', async () => {
      const { registry, subject } = scene();
      const { tenant } = await trailOf(registry);
      await subject.tamper.insert(tenant);
      expect(told((await verify(registry, tenant)).breaks)).toEqual([{ tenant, damage: 'inserted', from: 0, to: 0 }]);
      await registry.updateTenants([change(tenant, null, { from: ['active'], event: 'tenant.labelled' })]);
      expect((await verify(registry, tenant)).broken).toBe(1);
    });

    test('tells two events that were swapped', async () => {
      const { registry, subject } = scene();
      const { tenant } = await trailOf(registry);
      await subject.tamper.swap(tenant, 2, 5);
      expect(told((await verify(registry, tenant)).breaks)).toEqual([{ tenant, damage: 'swapped', from: 2, to: 5 }]);
    });

    test('tells that its newest events were cut off', async () => {
      const { registry, subject } = scene();
      const { tenant } = await trailOf(registry);
      await subject.tamper.truncate(tenant, 5, { hidesIt: false });
      expect(told((await verify(registry, tenant)).breaks)).toEqual([{ tenant, damage: 'truncated', from: 5, to: 6 }]);
    });

    test('tells that its newest events were cut off and its head set back, by what a run’s end recorded', async () => {
      const { registry, subject } = scene();
      const { tenant, runs } = await trailOf(registry);
      const [known] = await registry.readHeads({ chain: tenant, after: null, limit: 1 });
      await subject.tamper.truncate(tenant, 4, { hidesIt: true });
      const { breaks } = await verify(registry, tenant);
      expect(breaks).toMatchObject([{ tenant, damage: 'truncated', run: runs[1] }]);
      expect((await verify(registry)).breaks).toContainEqual(expect.objectContaining({ tenant, damage: 'truncated', run: runs[1] }));
      if (known === undefined) throw new Error('there was no head');
      const against = await verifyAudit(registry, { tenant, against: new Map([[tenant, known]]) });
      expect(told(against.breaks)).toContainEqual({ tenant, damage: 'truncated', from: 4, to: 6 });
    });

    test('goes on after it was broken: what comes later is chained to what is there', async () => {
      const { registry, subject } = scene();
      const { tenant } = await trailOf(registry);
      await subject.tamper.edit(tenant, 2);
      await registry.updateTenants([change(tenant, null, { from: ['active'], event: 'tenant.labelled' })]);
      expect(told((await verify(registry, tenant)).breaks)).toEqual([{ tenant, damage: 'edited', from: 2, to: 2 }]);
    });
  });
}
