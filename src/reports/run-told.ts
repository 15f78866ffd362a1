import * as z from 'zod/mini';
import { EXIT, type ExitCode } from '../errors/define.js';
import type { RunCommand } from '../events.js';
import { RUN_COMMANDS } from '../events.js';
import type { OutcomeCounts, OutcomeError, TenantOutcome } from '../outcome.js';
import { TENANT_OUTCOMES } from '../outcome.js';
import type { RunStop } from '../run-stop.js';
import { DRAIN_REASONS } from '../run-stop.js';
import type { Shard } from '../util/shard.js';

/** What one run told of itself with `--json`, as far as that goes. */
export interface RunTold {
  /** The file, as it was given; `stdin`. */
  readonly source: string;
  /** Null where the command ended before it had a run, and then so are the command and the shard. */
  readonly run: string | null;
  readonly command: RunCommand | null;
  readonly target: string | null;
  readonly dryRun: boolean;
  readonly shard: Shard | null;
  readonly startedAt: string | null;
  readonly selected: number;
  /** Of one that has no end, of those whose outcome had been told: the sum is less than `selected`. */
  readonly counts: OutcomeCounts;
  readonly failed: readonly TenantOutcome[];
  readonly ms: number;
  /** Null: it has no end. Whoever was to write it died, or it was cut off. */
  readonly exitCode: ExitCode | null;
  readonly stopped: RunStop | null;
  readonly error: OutcomeError | null;
}

const count = z.int().check(z.nonnegative());
const text = z.string();
const version = z.nullable(text);
const command = z.enum(RUN_COMMANDS);
const exitCodes = Object.values(EXIT);
const exitCode = z.custom<ExitCode>((value) => (exitCodes as readonly unknown[]).includes(value));
const counts = z.object(
  Object.fromEntries(TENANT_OUTCOMES.map((outcome) => [outcome, count])) as Record<keyof OutcomeCounts, typeof count>,
);
const outcomeError = z.object({
  code: text,
  message: text,
  hint: z.optional(text),
  hook: version,
  retryable: z.boolean(),
  log: version,
});
const tenantOutcome = z.object({
  tenant: text,
  cluster: text,
  outcome: z.enum(TENANT_OUTCOMES),
  attempts: count,
  from: version,
  to: version,
  ms: z.number(),
  error: z.optional(outcomeError),
});
const stop = z.object({
  reason: z.enum(DRAIN_REASONS),
  wave: z.nullable(count),
  waves: z.nullable(count),
  detail: version,
  notStarted: count,
});

/** The part of the published schema that a merge goes by; fields that a later version adds are passed over. */
export const toldSchemas = {
  stamp: z.object({ v: z.number(), at: text, run: version, type: text }),
  'run.started': z.object({
    command,
    selected: count,
    upToDate: count,
    doneBefore: z.optional(count),
    target: version,
    dryRun: z.boolean(),
    shard: z.optional(z.object({ index: count, of: count })),
  }),
  'tenant.finished': tenantOutcome,
  'run.finished': z.object({
    command: z.nullable(command),
    counts,
    failed: z.array(tenantOutcome),
    ms: z.number(),
    exitCode,
    stopped: z.optional(stop),
    error: z.optional(outcomeError),
  }),
} as const;
