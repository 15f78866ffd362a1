import { describe, expect, expectTypeOf, test } from 'vitest';
import { EXIT } from '../../src/errors/define.js';
import { RUN_COMMANDS, type RunEvent, type StampedRunEvent } from '../../src/events.js';
import { FINDING_CODES, FINDING_SEVERITIES, FINDING_STATUSES } from '../../src/finding.js';
import { type OutcomeError, TENANT_OUTCOMES, type TenantOutcome } from '../../src/outcome.js';
import { DRAIN_REASONS, type RunStop } from '../../src/run-stop.js';
import { DRIVER_NAMES } from '../../src/tenant.js';
import { assertEvent, assertEvents, eventsSchema } from '../rig/events-schema.js';

const counts = { applied: 1, 'up-to-date': 2, failed: 1, unverified: 0, unknown: 0, skipped: 0, cancelled: 0, 'not-started': 0 };
const error: OutcomeError = {
  code: 'TENANCY_MIGRATION_FAILED',
  message: 'acme: no',
  hint: 'mend it',
  hook: 'migrate',
  retryable: false,
  log: null,
};
const outcome: TenantOutcome = { tenant: 'acme', cluster: 'main', outcome: 'failed', attempts: 2, from: null, to: '0001_a', ms: 12, error };

const stopped: RunStop = { reason: 'wave-failed', wave: 1, waves: 3, detail: '1 of 1 failed', notStarted: 199 };

/** One of each, with every optional field, so a new event or field doesn't compile until it is here. */
const samples: { readonly [Type in RunEvent['type']]: Required<Extract<RunEvent, { type: Type }>> } = {
  'run.started': {
    type: 'run.started',
    command: 'migrate',
    selected: 3,
    upToDate: 2,
    doneBefore: 1,
    target: '0001_a',
    concurrency: 8,
    clusters: { main: { tenants: 1, cap: 8 } },
    dryRun: false,
    waves: [1, 2],
    failedIn: ['20261121-013012-k3x9'],
    shard: { index: 2, of: 4 },
  },
  'run.warned': { type: 'run.warned', code: 'TENANCY_TENANT_AHEAD', message: 'acme is ahead', tenant: 'acme' },
  'tenant.started': { type: 'tenant.started', tenant: 'acme', cluster: 'main', steps: ['register', 'create'] },
  'tenant.planned': {
    type: 'tenant.planned',
    tenant: 'acme',
    cluster: 'main',
    driver: 'postgres-schema',
    name: 'tenant_acme',
    from: null,
    to: '0001_a',
    steps: ['migrate'],
    migrations: ['0001_a'],
    backup: { directory: '/backups/acme', tool: 'pg_dump 15.20 (/usr/bin/pg_dump)' },
    restored: { backup: 'k3x9m2p7qa', at: '2026-11-21T01:30:12.000Z', path: '/backups/acme/20261121T013012Z-k3x9m2p7qa.dump' },
  },
  'run.planned': {
    type: 'run.planned',
    versions: [{ schemaVersion: null, tenants: 3, upToDate: 1 }],
    groups: [
      {
        cluster: 'main',
        driver: 'postgres-schema',
        from: null,
        hash: 'e3b0',
        to: '0001_a',
        migrations: ['0001_a'],
        tenants: 2,
        sample: ['acme'],
        knownBy: 'registry',
      },
    ],
    clusters: [{ cluster: 'main', tenants: 2, cap: 8, tenantMs: 12, estimateMs: 12 }],
    estimate: { ms: 12, sampled: 500, runs: ['20261121-013012-k3x9'] },
    saved: 'plan.json',
  },
  'step.started': { type: 'step.started', tenant: 'acme', step: 'create' },
  'step.finished': { type: 'step.finished', tenant: 'acme', step: 'create', status: 'done-before', ms: 0, detail: 'adopted' },
  'migration.finished': { type: 'migration.finished', tenant: 'acme', migration: '0001_a', ms: 3.5, direction: 'up' },
  'tenant.located': {
    type: 'tenant.located',
    tenant: 'acme',
    cluster: 'main',
    driver: 'postgres-schema',
    name: 'tenant_acme',
    url: 'postgres://db/app',
    connect: 'psql postgres://db/app',
    note: 'start it first',
  },
  'backup.finished': {
    type: 'backup.finished',
    tenant: 'acme',
    backup: 'k3x9m2p7qa',
    path: '/backups/acme/20261129T004157Z-k3x9m2p7qa.dump',
    sha256: 'a'.repeat(64),
    bytes: 10_467,
  },
  'tenant.retried': { type: 'tenant.retried', tenant: 'acme', attempt: 2, delayMs: 100, error },
  'tenant.finding': {
    type: 'tenant.finding',
    tenant: 'acme',
    cluster: 'main',
    driver: 'postgres-schema',
    name: 'tenant_acme',
    code: 'version-skewed',
    severity: 'drift',
    message: 'acme is recorded at 0001_a, and its own history says 0002_b',
    repair: 'tenancy tenant repair acme',
    isFixable: true,
    status: 'fixed',
    detail: 'recorded version 0001_a → 0002_b',
  },
  'tenant.finished': { type: 'tenant.finished', ...outcome, error },
  'cluster.held': { type: 'cluster.held', cluster: 'main', reason: '41 sessions are at work, more than 40' },
  'cluster.released': { type: 'cluster.released', cluster: 'main', ms: 1200 },
  'run.paused': { type: 'run.paused', inFlight: 2, notStarted: 7 },
  'run.resumed': { type: 'run.resumed', ms: 1200, notStarted: 7 },
  'run.draining': { type: 'run.draining', reason: 'interrupted', inFlight: 2, notStarted: null, wave: 1, detail: '1 of 1 failed' },
  'wave.started': { type: 'wave.started', wave: 1, waves: 3, tenants: 1 },
  'wave.finished': { type: 'wave.finished', wave: 1, waves: 3, counts, ms: 12, soakMs: 600_000 },
  'run.finished': { type: 'run.finished', command: 'migrate', counts, failed: [outcome], ms: 100, exitCode: 1, stopped, error },
};

const stamp = (event: RunEvent): StampedRunEvent => ({ v: 1, at: '2026-01-02T03:04:05.678Z', run: 'r1', ...event });
const toLines = (...events: readonly RunEvent[]): string => events.map((event) => `${JSON.stringify(stamp(event))}\n`).join('');

describe('the published schema of events', () => {
  test.each(Object.values(samples).map((event) => [event.type, event] as const))('accepts %s', (_type, event) => {
    expect(assertEvent(stamp(event))).toEqual(stamp(event));
  });

  test('names exactly the types that the core emits', () => {
    expect(eventsSchema.oneOf.map(({ $ref }) => $ref.replace('#/$defs/', '')).sort()).toEqual(Object.keys(samples).sort());
  });

  test('names exactly the properties that the core emits', () => {
    for (const event of Object.values(samples)) {
      const { properties } = eventsSchema.$defs[event.type] as { properties: object };
      expect(Object.keys(properties).sort()).toEqual(Object.keys(stamp(event)).sort());
    }
  });

  test('lists the same words as the code', () => {
    const words = (name: string) => (eventsSchema.$defs[name] as { enum: readonly unknown[] }).enum;
    expect(words('command')).toEqual(RUN_COMMANDS);
    expect(words('outcome')).toEqual(TENANT_OUTCOMES);
    expect(words('driver')).toEqual(DRIVER_NAMES);
    expect(words('exitCode')).toEqual(Object.values(EXIT));
    expect(words('step')).toEqual(STEPS);
    expect(words('drainReason')).toEqual(DRAIN_REASONS);
    expect(words('findingCode')).toEqual(FINDING_CODES);
    expect(words('findingSeverity')).toEqual(FINDING_SEVERITIES);
    expect(words('findingStatus')).toEqual(FINDING_STATUSES);
  });

  test('refuses an unknown field, an unknown type and a missing stamp', () => {
    expect(() => assertEvent({ ...stamp(samples['step.started']), colour: 'red' })).toThrow('additional properties');
    expect(() => assertEvent({ ...stamp(samples['step.started']), type: 'step.paused' })).toThrow('no such type');
    expect(() => assertEvent(samples['step.started'])).toThrow("required property 'v'");
  });
});

describe('the check of a whole output', () => {
  const end = samples['run.finished'];

  test('accepts a run', () => {
    expect(assertEvents(toLines(samples['run.started'], samples['tenant.finished'], end))).toHaveLength(3);
  });

  test('refuses an output that goes on after run.finished, or lacks it', () => {
    expect(() => assertEvents(toLines(end, samples['run.warned']))).toThrow('the last event is run.warned');
    expect(() => assertEvents(toLines(samples['run.started']))).toThrow('came 0 times');
    expect(() => assertEvents(toLines(end, end))).toThrow('came 2 times');
  });

  test('refuses a tenant that finishes twice', () => {
    expect(() => assertEvents(toLines(samples['tenant.finished'], samples['tenant.finished'], end))).toThrow('acme finished twice');
  });

  test('refuses half a line', () => {
    expect(() => assertEvents(toLines(end).trimEnd())).toThrow('has no end');
  });
});

const STEPS = [
  'register',
  'create',
  'migrate',
  'rollback',
  'seed',
  'verify',
  'activate',
  'guard',
  'cut-access',
  'restore-access',
  'backup',
  'retain',
  'unretain',
  'drop',
  'drop-access',
  'tombstone',
  'load',
  'mark',
  'repair',
  'create-login',
  'retire-login',
] as const;

test('the list of steps here is that of the code', () => {
  expectTypeOf<Extract<RunEvent, { type: 'step.started' }>['step']>().toEqualTypeOf<(typeof STEPS)[number]>();
});
