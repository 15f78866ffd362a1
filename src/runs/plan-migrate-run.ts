import { EXIT } from '../errors/define.js';
import { runFleet } from '../fleet/run-fleet.js';
import { Tally } from '../fleet/tally.js';
import type { MigrationOutline } from '../lifecycle/migrator.js';
import type { RunContext } from '../lifecycle/run-context.js';
import { describeFailure } from '../lifecycle/run-tenant.js';
import type { TenantOutcome } from '../outcome.js';
import type { PlannedGroup } from '../planned.js';
import type { Tenant } from '../tenant.js';
import { elapsedMs, monotonicMs } from '../util/clock.js';
import { readDrainReason } from './draining.js';
import type { FleetPlan } from './lanes.js';
import { leaveOutVerified } from './leave-out-verified.js';
import type { MigrateOptions } from './migrate-run.js';
import { announcePlan } from './plan/announce-plan.js';
import { askTenant } from './plan/ask-tenant.js';
import { composePlan } from './plan/compose-plan.js';
import { isThere } from './plan/judge-tenants.js';
import { PlanBook, toPlannedGroups } from './plan/plan-book.js';
import { savePlan } from './plan/plan-file.js';
import { surveyFleet } from './plan/survey-fleet.js';
import { decideExitCode, type RunReport } from './report.js';

/**
 * What a migrate would do: one query of the registry, and besides only the tenants that it can't speak for are read. Takes no
 * lease, and writes nothing but the file that it was asked for.
 */
export async function planMigrateRun(run: RunContext, plan: FleetPlan, options: MigrateOptions): Promise<RunReport> {
  const { signals, exitCodeOfPending = EXIT.ok, save = null, listsTenants = true } = options;
  const startedMs = monotonicMs();
  const lists = listsTenants || run.config.hooks.onEvent !== undefined;
  const survey = await surveyFleet(run, plan, { lists: lists || save !== null });
  const tells = lists || survey.counted.every(({ isDone }) => isDone);
  const book = new PlanBook({ keepsIds: save !== null });
  const tally = new Tally();

  for (const { row, outline, isDone, tenants } of survey.counted) {
    tally.count(isDone ? 'up-to-date' : 'not-started', tenants);
    if (isDone) book.addVersion(row.schemaVersion, tenants, true);
    else book.addCount({ ...row, ...outline, knownBy: 'registry' }, tenants);
  }

  async function planOne(tenant: Tenant): Promise<TenantOutcome> {
    const base = { tenant: tenant.id, cluster: tenant.cluster, attempts: 0, from: tenant.schemaVersion, ms: 0 };
    try {
      const verdict = survey.judge(tenant);
      if (verdict.type === 'refused') throw verdict.error(tenant);
      const isKnown = verdict.type === 'known' && tenant.lastError === null;
      const outline = isKnown ? verdict.outline : await askTenant(run, tenant, signals.abort);
      if (isThere(run, tenant.driver, outline)) {
        book.addVersion(outline.from, 1, true);
        return { ...base, outcome: 'up-to-date', to: outline.to };
      }
      note(tenant, outline, isKnown ? 'registry' : 'tenant');
      return { ...base, outcome: 'not-started', to: outline.to };
    } catch (error) {
      book.addVersion(tenant.schemaVersion, 1, false);
      return { ...base, outcome: 'failed', to: null, error: describeFailure(run, tenant, error, null) };
    }
  }

  function note(tenant: Tenant, outline: MigrationOutline, knownBy: PlannedGroup['knownBy']): void {
    const { id, cluster, driver, name, status, schemaVersion, migrationsHash } = tenant;
    book.add({ cluster, driver, status, schemaVersion, migrationsHash, ...outline, knownBy }, tenant);
    if (!tells) return;
    const step = run.command === 'rollback' ? 'rollback' : 'migrate';
    run.emit({ type: 'tenant.planned', tenant: id, cluster, driver, name, steps: [step], ...outline });
  }

  function noteVerified({ schemaVersion }: Tenant): void {
    tally.count('up-to-date', 1);
    book.addVersion(schemaVersion, 1, true);
  }

  await runFleet<Tenant>({
    lanes: options.forceVerify ? survey.lanes.map((lane) => leaveOutVerified(run, lane, noteVerified)) : survey.lanes,
    concurrency: plan.concurrency,
    drain: signals.drain,
    run: planOne,
    skip: () => tally.count('not-started', 1),
    settle: (outcome) => {
      tally.add(outcome);
      if (outcome.outcome === 'failed') run.emit({ type: 'tenant.finished', ...outcome });
    },
  });
  const pending = book.groups.reduce((total, { tenants }) => total + tenants, 0);
  const drained = signals.drain.aborted ? readDrainReason(signals.drain) : null;
  // What was broken off in the middle is no plan.
  if (drained === null) {
    if (save !== null) await savePlan(save, await composePlan(run, { book, plan, options, counts: tally.counts }));
    await announcePlan(run, { groups: toPlannedGroups(book.groups), versions: book.versions, plan, saved: save });
  }
  const ended = decideExitCode(plan.selected, tally.failed, drained);
  return {
    runId: run.runId,
    command: run.command,
    selected: plan.selected,
    counts: tally.counts,
    failed: tally.failed,
    stopped: null,
    pending,
    ms: elapsedMs(startedMs),
    exitCode: ended === EXIT.ok && pending > 0 ? exitCodeOfPending : ended,
  };
}
