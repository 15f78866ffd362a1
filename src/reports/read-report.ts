import type * as z from 'zod/mini';
import { TenancyError } from '../errors.js';
import type { RunCommand } from '../events.js';
import { Tally } from '../fleet/tally.js';
import type { TenantOutcome } from '../outcome.js';
import { type RunTold, toldSchemas } from './run-told.js';

type Started = z.infer<(typeof toldSchemas)['run.started']>;
type Finished = z.infer<(typeof toldSchemas)['run.finished']>;

/**
 * Reads the NDJSON of one run, a line at a time. What another program wrote before the first event (`npm run` says what it runs) is
 * passed over; a last line that was cut off belongs to a run that has no end.
 * @param onOutcome told each outcome that there is a line for
 * @throws TenancyError `TENANCY_REPORT_REJECTED`
 */
export async function readReport(
  source: string,
  lines: AsyncIterable<string>,
  onOutcome: (outcome: TenantOutcome, command: RunCommand) => void = () => undefined,
): Promise<RunTold> {
  const refuse = (reason: string): never => {
    throw new TenancyError('TENANCY_REPORT_REJECTED', { file: source, reason });
  };
  const tally = new Tally();
  let started: (Started & { readonly at: string }) | null = null;
  let finished: Finished | null = null;
  let run: string | null = null;
  let number = 0;
  let foreign = 0;
  let isBegun = false;
  let cutAt: number | null = null;

  for await (const raw of lines) {
    number += 1;
    const line = (number === 1 ? raw.replace(/^\uFEFF/, '') : raw).trim();
    if (line === '') continue;
    if (cutAt !== null) refuse(`line ${cutAt} is no event`);
    if (!isBegun && !line.startsWith('{')) {
      foreign += 1;
      continue;
    }
    const value = parse(line);
    if (value === undefined) {
      cutAt = number;
      continue;
    }
    const stamp = toldSchemas.stamp.safeParse(value);
    if (!stamp.success) return refuse(`line ${number} is no event`);
    isBegun = true;
    const { v, at, type } = stamp.data;
    if (v !== 1) refuse(`line ${number} is of version ${v} of the format, which this tenancy doesn't know`);
    if (finished !== null) refuse(`it goes on after the end of ${run ?? 'a command'}: each run wants a file of its own`);
    if (stamp.data.run !== null) {
      if (run !== null && run !== stamp.data.run) refuse(`it has the events of two runs, ${run} and ${stamp.data.run}`);
      run = stamp.data.run;
    }
    const read = <Event>(schema: z.ZodMiniType<Event>): Event => {
      const event = schema.safeParse(value);
      return event.success
        ? event.data
        : refuse(`line ${number} is no ${type} as it is published: ${event.error.issues[0]?.path.join('.')}`);
    };
    if (type === 'run.started') started = { ...read(toldSchemas[type]), at };
    else if (type === 'run.finished') finished = read(toldSchemas[type]);
    else if (type === 'tenant.finished') {
      const outcome = read(toldSchemas[type]);
      tally.add(outcome);
      onOutcome(outcome, started?.command ?? 'migrate');
    }
  }
  if (!isBegun && (foreign > 0 || cutAt !== null)) refuse('there is no event in it: it was not written with --json');
  return toTold({ source, run, started, finished, tally });
}

interface Read {
  readonly source: string;
  readonly run: string | null;
  readonly started: (Started & { readonly at: string }) | null;
  readonly finished: Finished | null;
  readonly tally: Tally;
}

function toTold({ source, run, started, finished, tally }: Read): RunTold {
  // One that was broken off by an error says nothing of its tenants at its end.
  const isWhole = finished !== null && finished.error === undefined;
  if (started !== null) tally.count('up-to-date', started.upToDate - (started.doneBefore ?? 0));
  return {
    source,
    run,
    command: started?.command ?? finished?.command ?? null,
    target: started?.target ?? null,
    dryRun: started?.dryRun ?? false,
    shard: started?.shard ?? null,
    startedAt: started?.at ?? null,
    selected: started?.selected ?? 0,
    counts: isWhole ? finished.counts : tally.counts,
    failed: isWhole ? finished.failed : tally.failed,
    ms: finished?.ms ?? 0,
    exitCode: finished?.exitCode ?? null,
    stopped: finished?.stopped ?? null,
    error: finished?.error ?? null,
  };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
