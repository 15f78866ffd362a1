import type { RunEvent, StepName } from '../../src/events.js';
import type { OutcomeCounts, OutcomeError, TenantOutcome } from '../../src/outcome.js';
import type { PlannedGroup } from '../../src/planned.js';

/** An event, and how long after the one before it. */
export interface SceneEvent {
  readonly afterMs: number;
  readonly event: RunEvent;
}

const MIGRATIONS = [
  '0001_accounts',
  '0002_members',
  '0003_projects',
  '0004_invoices',
  '0005_invoice_lines',
  '0006_audit',
  '0007_backfill_totals',
  '0008_index_lines',
];
const PROVISION_STEPS: readonly StepName[] = ['register', 'create', 'migrate', 'seed', 'verify', 'activate'];
const NO_COUNTS: OutcomeCounts = {
  applied: 0,
  'up-to-date': 0,
  failed: 0,
  unverified: 0,
  unknown: 0,
  skipped: 0,
  cancelled: 0,
  'not-started': 0,
};

function migrationError(tenant: string): OutcomeError {
  return {
    code: 'TENANCY_MIGRATION_FAILED',
    message: `${tenant}: migration 0007_backfill_totals, line 12, column 34: column "amount_cents" does not exist\nUPDATE invoices SET total = (SELECT sum(amount_cents) FROM invoice_lines)`,
    hint: `mend migrations/tenant/0007_backfill_totals.sql, then run \`tenancy tenant migrate ${tenant}\``,
    hook: 'migrate',
    retryable: false,
    log: `.tenancy/logs/${tenant}.log`,
  };
}

export function* singleScene({ isBroken, isAgain = false }: { isBroken: boolean; isAgain?: boolean }): Generator<SceneEvent> {
  const tenant = 'acme';
  yield {
    afterMs: 300,
    event: {
      type: 'run.started',
      command: 'provision',
      selected: 1,
      upToDate: 0,
      target: '0008_index_lines',
      concurrency: 8,
      clusters: { main: { tenants: 1, cap: 8 } },
      dryRun: false,
    },
  };
  yield { afterMs: 1, event: { type: 'tenant.started', tenant, cluster: 'main', steps: PROVISION_STEPS } };
  for (const step of PROVISION_STEPS) {
    yield { afterMs: 5, event: { type: 'step.started', tenant, step } };
    if (isAgain && (step === 'register' || step === 'create')) {
      yield { afterMs: 5, event: { type: 'step.finished', tenant, step, status: 'done-before', ms: 1 } };
      continue;
    }
    let ms = { register: 12, create: 184, seed: 95, verify: 8, activate: 11 }[step as string] ?? 0;
    if (step === 'migrate') {
      for (const [index, migration] of MIGRATIONS.entries()) {
        if (isBroken && index === 6) break;
        ms += 150;
        yield { afterMs: 150, event: { type: 'migration.finished', tenant, migration, ms: 150, direction: 'up' } };
      }
      if (isBroken) {
        const error = migrationError(tenant);
        yield { afterMs: 50, event: { type: 'step.finished', tenant, step, status: 'failed', ms: ms + 50 } };
        const outcome: TenantOutcome = {
          tenant,
          cluster: 'main',
          outcome: 'failed',
          attempts: 1,
          from: null,
          to: '0006_audit',
          ms: 1400,
          error,
        };
        yield { afterMs: 5, event: { type: 'tenant.finished', ...outcome } };
        yield {
          afterMs: 5,
          event: {
            type: 'run.finished',
            command: 'provision',
            counts: { ...NO_COUNTS, failed: 1 },
            failed: [outcome],
            ms: 1700,
            exitCode: 1,
          },
        };
        return;
      }
    }
    yield {
      afterMs: step === 'migrate' ? 1 : ms,
      event: { type: 'step.finished', tenant, step, status: 'done', ms, ...(step === 'migrate' ? { detail: '8 migrations' } : {}) },
    };
  }
  yield {
    afterMs: 1,
    event: {
      type: 'tenant.located',
      tenant,
      cluster: 'main',
      driver: 'postgres-schema',
      name: 'tenant_acme',
      url: 'postgres://postgres@127.0.0.1:54329/postgres?options=-csearch_path%3Dtenant_acme',
      connect: 'psql "postgres://postgres@127.0.0.1:54329/postgres?options=-csearch_path%3Dtenant_acme"',
      note: 'the embedded server has stopped: `npx tenancy embedded start` brings it up',
    },
  };
  const outcome: TenantOutcome = { tenant, cluster: 'main', outcome: 'applied', attempts: 1, from: null, to: '0008_index_lines', ms: 1520 };
  yield { afterMs: 5, event: { type: 'tenant.finished', ...outcome } };
  yield {
    afterMs: 5,
    event: { type: 'run.finished', command: 'provision', counts: { ...NO_COUNTS, applied: 1 }, failed: [], ms: 1830, exitCode: 0 },
  };
}

interface FleetOptions {
  readonly tenants: number;
  readonly failures: number;
  readonly isHostile?: boolean;
  readonly interruptAfter?: number;
  readonly concurrency?: number;
}

export function* fleetScene({
  tenants,
  failures,
  isHostile = false,
  interruptAfter = tenants,
  concurrency = 12,
}: FleetOptions): Generator<SceneEvent> {
  const upToDate = Math.floor(tenants / 10);
  const work = tenants - upToDate;
  const every = failures === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(Math.min(work, interruptAfter) / failures));
  const nameOf = (index: number): string => {
    if (!isHostile) return `${['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark', 'wayne'][index % 7]}-${index}`;
    return index % 3 === 0
      ? `t${index}-${'x'.repeat(63 - `t${index}-`.length)}`
      : index % 3 === 1
        ? `\u001b]0;owned\u0007\u001b[2Jevil-${index}\r\n`
        : `株式会社日本テナント🏢-${index}`;
  };
  yield {
    afterMs: 200,
    event: {
      type: 'run.started',
      command: 'migrate',
      selected: tenants,
      upToDate,
      target: '0008_index_lines',
      concurrency,
      clusters: { main: { tenants: work, cap: concurrency } },
      dryRun: false,
    },
  };
  const counts = { ...NO_COUNTS, 'up-to-date': upToDate } as Record<keyof OutcomeCounts, number>;
  const failed: TenantOutcome[] = [];
  const perTenantMs = 240 / concurrency;
  const inFlight: number[] = [];
  let isDraining = false;
  for (let next = 0; next < work || inFlight.length > 0; ) {
    if (next >= interruptAfter && interruptAfter < work && !isDraining) {
      isDraining = true;
      yield { afterMs: 0, event: { type: 'run.draining', reason: 'interrupted', inFlight: inFlight.length, notStarted: work - next } };
    }
    if (!isDraining && next < work && inFlight.length < concurrency) {
      yield { afterMs: 0, event: { type: 'tenant.started', tenant: nameOf(next), cluster: 'main', steps: ['migrate', 'verify'] } };
      yield { afterMs: 0, event: { type: 'step.started', tenant: nameOf(next), step: 'migrate' } };
      inFlight.push(next);
      next += 1;
      continue;
    }
    const index = inFlight.splice(inFlight.length > 4 ? (inFlight.length * 7) % 5 : 0, 1)[0];
    if (index === undefined) break;
    const tenant = nameOf(index);
    const isBroken = index % every === every - 1;
    const base = { tenant, cluster: 'main', attempts: 1, from: '0006_audit', ms: 180 + (index % 90) };
    if (isBroken) {
      const outcome: TenantOutcome = { ...base, outcome: 'failed', to: '0006_audit', error: migrationError(tenant) };
      counts.failed += 1;
      failed.push(outcome);
      yield { afterMs: perTenantMs, event: { type: 'step.finished', tenant, step: 'migrate', status: 'failed', ms: base.ms } };
      yield { afterMs: 0, event: { type: 'tenant.finished', ...outcome } };
    } else {
      counts.applied += 1;
      for (const migration of MIGRATIONS.slice(6))
        yield { afterMs: perTenantMs / 2, event: { type: 'migration.finished', tenant, migration, ms: 60, direction: 'up' } };
      yield { afterMs: 0, event: { type: 'step.finished', tenant, step: 'migrate', status: 'done', ms: base.ms } };
      yield { afterMs: 0, event: { type: 'tenant.finished', ...base, outcome: 'applied', to: '0008_index_lines' } };
    }
    if (isDraining && inFlight.length === 0) {
      counts['not-started'] = work - next;
      break;
    }
  }
  yield {
    afterMs: 5,
    event: {
      type: 'run.finished',
      command: 'migrate',
      counts,
      failed,
      ms: Math.round(work * perTenantMs),
      exitCode: isDraining ? 130 : failed.length > 0 ? 1 : 0,
    },
  };
}

/** The dry run of a fleet whose tenants were counted and not listed. */
export function* wholePlanScene(): Generator<SceneEvent> {
  const to = '0008_index_lines';
  const group = (cluster: string, applied: number, tenants: number, sample: readonly string[] = []): PlannedGroup => ({
    cluster,
    driver: 'postgres-schema',
    from: MIGRATIONS[applied - 1] ?? null,
    hash: `hash of ${applied}`,
    to,
    migrations: MIGRATIONS.slice(applied),
    tenants,
    sample,
    knownBy: sample.length > 0 ? 'tenant' : 'registry',
  });
  const clusters = { eu: { tenants: 8_001, cap: 8 }, us: { tenants: 1_990, cap: 4 } };
  const started = { command: 'migrate', selected: 10_001, upToDate: 10, target: to, concurrency: 12, clusters, dryRun: true } as const;
  yield { afterMs: 1, event: { type: 'run.started', ...started } };
  yield {
    afterMs: 1,
    event: {
      type: 'run.planned',
      versions: [
        { schemaVersion: '0006_audit', tenants: 9_990, upToDate: 0 },
        { schemaVersion: to, tenants: 10, upToDate: 10 },
        { schemaVersion: null, tenants: 1, upToDate: 0 },
      ],
      groups: [group('eu', 6, 8_000), group('us', 6, 1_990), group('eu', 0, 1, ['stray'])],
      clusters: [
        { cluster: 'eu', tenants: 8_001, cap: 8, tenantMs: 120, estimateMs: 120_120 },
        { cluster: 'us', tenants: 1_990, cap: 4, tenantMs: 95, estimateMs: 47_310 },
      ],
      estimate: { ms: 120_120, sampled: 2_000, runs: ['20261121-013012-k3x9', '20261120-013012-m2q4'] },
      saved: '/srv/deploy/plan.json',
    },
  };
  const counts = { ...NO_COUNTS, 'up-to-date': 10, 'not-started': 9_991 };
  yield { afterMs: 1, event: { type: 'run.finished', command: 'migrate', counts, failed: [], ms: 90, exitCode: 0 } };
}

export function* planScene({ tenants }: { tenants: number }): Generator<SceneEvent> {
  yield {
    afterMs: 1,
    event: {
      type: 'run.started',
      command: 'migrate',
      selected: tenants,
      upToDate: 40,
      target: '0008_index_lines',
      concurrency: 8,
      clusters: { main: { tenants, cap: 8 } },
      dryRun: true,
    },
  };
  for (let index = 0; index < tenants - 40; index += 1) {
    const applied = index % 25 === 0 ? 2 : index % 7 === 0 ? 4 : 6;
    yield {
      afterMs: 0,
      event: {
        type: 'tenant.planned',
        tenant: `tenant-${index}`,
        cluster: 'main',
        driver: 'postgres-schema',
        name: `tenant_tenant-${index}`,
        from: MIGRATIONS[applied - 1] ?? null,
        to: '0008_index_lines',
        steps: ['migrate', 'verify'],
        migrations: MIGRATIONS.slice(applied),
      },
    };
  }
  yield {
    afterMs: 1,
    event: {
      type: 'run.finished',
      command: 'migrate',
      counts: { ...NO_COUNTS, 'up-to-date': 40, 'not-started': tenants - 40 },
      failed: [],
      ms: 90,
      exitCode: 0,
    },
  };
}

export function* refusalScene(): Generator<SceneEvent> {
  const error: OutcomeError = {
    code: 'TENANCY_REGISTRY_NOT_FOUND',
    message: 'there is no tenancy registry at postgres://db.internal/app',
    hint: 'check registry.url; `tenancy registry init` or the first `tenancy tenant provision` creates one',
    hook: null,
    retryable: false,
    log: null,
  };
  yield { afterMs: 1, event: { type: 'run.finished', command: null, counts: NO_COUNTS, failed: [], ms: 12, exitCode: 2, error } };
}
