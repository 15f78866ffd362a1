import { open } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import type { RunCommand, RunEvent, StampedRunEvent } from '../events.js';
import type { TenantOutcome } from '../outcome.js';
import { printRunMerge, toRunMergeDocument } from '../reporters/documents/merge-document.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import { type MergedReport, mergeReports } from '../reports/merge-reports.js';
import { readReport } from '../reports/read-report.js';
import type { RunTold } from '../reports/run-told.js';
import type { CommandContext } from './context.js';
import { withJunit } from './with-junit.js';

const NOTHING_YET = { type: 'run.started', selected: 0, upToDate: 0, target: null, concurrency: 0, clusters: {}, dryRun: false } as const;

/** Needs no config, no registry and no server: only what runs have told. */
export async function runRunMerge(context: CommandContext, files: readonly string[]): Promise<ExitCode> {
  if (files.filter((file) => file === '-').length > 1) {
    throw new TenancyError('TENANCY_COMMAND_LINE_REJECTED', { reason: '- stands for stdin, and can be read only once' });
  }
  return withJunit(context, 'run merge', async (report) => {
    const told: RunTold[] = [];
    const tell = (event: RunEvent, at = ''): void => report({ v: 1, at, run: null, ...event } satisfies StampedRunEvent);
    let isTold = false;
    const onOutcome = (outcome: TenantOutcome, command: RunCommand): void => {
      if (!isTold) tell({ ...NOTHING_YET, command });
      isTold = true;
      tell({ type: 'tenant.finished', ...outcome });
    };
    for (const file of files) told.push(await readFile(context, file, onOutcome));
    const merged = mergeReports(told);
    const incomplete =
      merged.problems.length === 0
        ? null
        : new TenancyError('TENANCY_REPORTS_INCOMPLETE', { problems: merged.problems.map(({ message }) => message) });
    for (const event of toEvents(merged, incomplete)) tell(event, findStart(told));
    await writeDocument(toRunMergeDocument(merged), printRunMerge, { ...context, ...context.globals });
    for (const { message } of merged.problems) context.stderr.write(`✖ ${message}\n`);
    return merged.exitCode;
  });
}

async function readFile(
  context: CommandContext,
  file: string,
  onOutcome: (outcome: TenantOutcome, command: RunCommand) => void,
): Promise<RunTold> {
  if (file === '-') return readReport('stdin', createInterface({ input: context.stdin(), crlfDelay: Infinity }), onOutcome);
  const handle = await open(path.resolve(context.cwd, file), 'r').catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'it is not there' : `it can't be read: ${cause.message}`;
    throw new TenancyError('TENANCY_REPORT_REJECTED', { file, reason }, { cause });
  });
  try {
    return await readReport(file, handle.readLines({ encoding: 'utf8' }), onOutcome);
  } catch (cause) {
    if (cause instanceof TenancyError) throw cause;
    const reason = `it can't be read: ${(cause as Error).message}`;
    throw new TenancyError('TENANCY_REPORT_REJECTED', { file, reason }, { cause });
  } finally {
    await handle.close().catch(() => undefined);
  }
}

/** The merged runs as the events of one, for the JUnit report. */
function toEvents(merged: MergedReport, incomplete: TenancyError | null): readonly RunEvent[] {
  const { command, target, dryRun, selected, counts, failed, ms, exitCode, reports } = merged;
  const broken = reports.find(({ error }) => error !== null)?.error ?? null;
  const error =
    incomplete === null ? broken : { code: incomplete.code, message: incomplete.message, hook: null, retryable: false, log: null };
  const stopped = reports.find((report) => report.stopped !== null)?.stopped ?? undefined;
  const started = { ...NOTHING_YET, command: command ?? 'migrate', selected, upToDate: counts['up-to-date'], target, dryRun };
  return [started, { type: 'run.finished', command, counts, failed, ms, exitCode, stopped, ...(error === null ? {} : { error }) }];
}

function findStart(told: readonly RunTold[]): string | undefined {
  return told.flatMap(({ startedAt }) => (startedAt === null ? [] : [startedAt])).sort()[0];
}
