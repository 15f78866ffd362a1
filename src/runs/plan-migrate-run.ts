import { EXIT } from '../errors/define.js';
import type { TenantOutcome } from '../events.js';
import { runFleet } from '../fleet/run-fleet.js';
import { Tally } from '../fleet/tally.js';
import type { RunContext, TenantScope } from '../lifecycle/run-context.js';
import { describeFailure } from '../lifecycle/run-tenant.js';
import { noJournal } from '../lifecycle/steps.js';
import type { Tenant } from '../tenant.js';
import { elapsedMs, monotonicMs } from '../util/clock.js';
import type { RunPlan } from './lanes.js';
import type { MigrateOptions } from './migrate-run.js';
import { decideExitCode, type RunReport, readDrainReason } from './report.js';

/** What a migrate would do: reads the tenants that the registry can't speak for, takes no lease, and writes nothing. */
export async function planMigrateRun(
  run: RunContext,
  plan: RunPlan,
  { signals, exitCodeOfPending = EXIT.ok }: MigrateOptions,
): Promise<RunReport> {
  const startedMs = monotonicMs();
  const tally = new Tally();
  tally.count('up-to-date', plan.upToDate);
  let pending = 0;

  async function planOne(tenant: Tenant): Promise<TenantOutcome> {
    const base = { tenant: tenant.id, cluster: tenant.cluster, attempts: 0, from: tenant.schemaVersion, ms: 0 };
    try {
      await run.migrator.check(tenant.driver);
      const { from, to, migrations } = await run.migrator.plan(await openScope(run, tenant, signals.abort));
      const isThere =
        migrations.length === 0 && (run.migrator.forDriver(tenant.driver).type === 'built-in' || (to !== null && from === to));
      if (isThere) return { ...base, outcome: 'up-to-date', to };
      pending += 1;
      const { driver, name, cluster } = tenant;
      run.emit({
        type: 'tenant.planned',
        tenant: tenant.id,
        cluster,
        driver,
        name,
        from,
        to,
        steps: [run.command === 'rollback' ? 'rollback' : 'migrate'],
        migrations,
      });
      return { ...base, outcome: 'not-started', to };
    } catch (error) {
      return { ...base, outcome: 'failed', to: null, error: describeFailure(run, tenant, error, null) };
    }
  }

  await runFleet<Tenant>({
    lanes: plan.lanes,
    concurrency: plan.concurrency,
    drain: signals.drain,
    run: planOne,
    skip: () => tally.count('not-started', 1),
    settle: (outcome) => {
      tally.add(outcome);
      if (outcome.outcome === 'failed') run.emit({ type: 'tenant.finished', ...outcome });
    },
  });
  const ended = decideExitCode(plan.selected, tally.failed, signals.drain.aborted ? readDrainReason(signals.drain) : null);
  return {
    runId: run.runId,
    command: run.command,
    selected: plan.selected,
    counts: tally.counts,
    failed: tally.failed,
    pending,
    ms: elapsedMs(startedMs),
    exitCode: ended === EXIT.ok && pending > 0 ? exitCodeOfPending : ended,
  };
}

async function openScope(run: RunContext, tenant: Tenant, signal: AbortSignal): Promise<TenantScope> {
  const engine = await run.clusters.engine(tenant.cluster, tenant.id);
  return {
    run,
    tenant,
    driver: engine.driver(tenant.driver),
    target: { name: tenant.name, marker: { tenant: tenant.id, registry: run.registry.id, operation: tenant.homeOperationId } },
    fence: tenant.fence,
    signal,
    steps: noJournal,
    log: (text) => run.logs.write(tenant.id, text),
  };
}
