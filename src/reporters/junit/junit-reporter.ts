import { EXIT } from '../../errors/define.js';
import { TenancyError } from '../../errors.js';
import type { RunEvent, StampedRunEvent } from '../../events.js';
import { formatShard } from '../../util/shard.js';
import { describeError, describeStop } from '../describe.js';
import type { Reporter } from '../reporter.js';
import { isFailure } from '../run-tally.js';
import { toCase, toPlannedCase, toRunCase } from './junit-case.js';
import { type JunitFile, openJunitFile } from './junit-file.js';

type Started = Extract<RunEvent, { type: 'run.started' }>;
type Finished = Extract<RunEvent, { type: 'run.finished' }>;

/** The suite of what is about no tenant. */
const RUN_SUITE = 'tenancy';

export interface JunitReporter extends Reporter {
  /** The command ended by this, before its run did. */
  fail(error: unknown): void;
  /** Writes the report, once; nothing where there was no run and no failure. @throws TenancyError `TENANCY_JUNIT_UNWRITTEN` */
  finish(): Promise<void>;
  /** The process ends now, wherever the command is: as `finish`, and a command that never came to a run was interrupted. */
  abandon(): Promise<void>;
}

/** A suite for each cluster, a case for each tenant that had work. @throws TenancyError `TENANCY_JUNIT_UNWRITTEN` */
export async function openJunitReporter(file: string, command: string): Promise<JunitReporter> {
  return createJunitReporter(await openJunitFile(file), command);
}

function createJunitReporter(report: JunitFile, commandName: string): JunitReporter {
  let started: (Started & { readonly at: string; readonly run: string | null }) | null = null;
  let finished: Finished | null = null;
  let failure: { readonly error: unknown } | null = null;
  let writing: Promise<void> | null = null;
  /** Of failures only: of a run that is gone on with, those before are told at its end alone. */
  const failed = new Set<string>();

  function observe(event: StampedRunEvent): void {
    if (event.type === 'run.started') started = event;
    else if (event.type === 'tenant.planned' && started?.dryRun) report.add(event.cluster, toPlannedCase(event, started.command));
    else if (event.type === 'tenant.finished' && event.outcome !== 'up-to-date') {
      if (isFailure(event)) failed.add(event.tenant);
      report.add(event.cluster, toCase(event, started?.command ?? 'migrate'));
    } else if (event.type === 'run.finished') {
      finished = event;
      for (const outcome of event.failed) {
        if (!failed.has(outcome.tenant)) report.add(outcome.cluster, toCase(outcome, event.command ?? 'migrate'));
      }
    }
  }

  async function write(): Promise<void> {
    if (started === null && failure === null) return;
    const problem = findProblem(finished, failure);
    const run = started?.run ?? null;
    const name = started === null ? commandName : `tenancy ${started.command}`;
    if (problem !== null) report.add(RUN_SUITE, toRunCase(run === null ? name : `run ${run}`, started?.command ?? commandName, problem));
    const properties = listProperties(started, finished);
    await report.write({ name, at: started?.at ?? null, ms: finished?.ms ?? 0, properties, emptySuite: RUN_SUITE });
  }

  function finish(): Promise<void> {
    writing ??= write();
    return writing;
  }

  return {
    report: observe,
    fail: (error) => {
      failure ??= { error };
    },
    finish,
    abandon: () => {
      if (started === null) failure ??= { error: new TenancyError('TENANCY_COMMAND_INTERRUPTED', {}) };
      return finish();
    },
  };
}

/** What makes the command fail though no tenant did. */
function findProblem(
  finished: Finished | null,
  failure: { readonly error: unknown } | null,
): { readonly code: string; readonly message: string } | null {
  if (failure !== null) return describeError(failure.error);
  if (finished === null) return { code: 'TENANCY_RUN_UNFINISHED', message: 'the command was ended before its run had an end' };
  if (finished.error !== undefined) return finished.error;
  const { exitCode, failed, stopped } = finished;
  if (exitCode === EXIT.ok || exitCode === EXIT.pending || failed.length > 0) return null;
  return { code: `exit ${exitCode}`, message: stopped == null ? `exit code ${exitCode}` : describeStop(stopped) };
}

function listProperties(
  started: (Started & { readonly run: string | null }) | null,
  finished: Finished | null,
): Readonly<Record<string, string | number>> {
  if (started === null) return {};
  const { run, command, target, selected, upToDate, dryRun, shard } = started;
  const counts = Object.entries(finished?.counts ?? {}).map(([outcome, tenants]) => [`tenants.${outcome}`, tenants]);
  return {
    ...(run === null ? {} : { run }),
    command,
    ...(target === null ? {} : { target }),
    ...(shard === undefined ? {} : { shard: formatShard(shard) }),
    ...(dryRun ? { dryRun: 'true' } : {}),
    selected,
    ...(finished === null ? { 'tenants.up-to-date': upToDate } : Object.fromEntries(counts)),
    ...(finished === null ? {} : { exitCode: finished.exitCode }),
  };
}
