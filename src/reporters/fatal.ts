import type { Writable } from 'node:stream';
import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import type { StampedRunEvent } from '../events.js';
import { Tally } from '../fleet/tally.js';
import { redact } from '../util/redact.js';
import { describeError } from './describe.js';
import { toJsonLine } from './json-line.js';
import { createPalette } from './palette.js';
import type { OutputMode } from './reporter.js';
import type { RunSoFar } from './run-so-far.js';
import { printCounts, printError } from './summary.js';

export interface FatalOptions {
  readonly output: OutputMode;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly isColorful: boolean;
  readonly version: string;
  /** Of a run that had begun. */
  readonly soFar?: RunSoFar | null;
}

/**
 * Words what ended a whole command: a refusal, a wrong config, a registry out of reach. In JSON it ends in the same event as any run.
 * Anything that isn't a `TenancyError` is a bug, and told with its stack.
 */
export function reportFatal(error: unknown, { output, stdout, stderr, isColorful, version, soFar = null }: FatalOptions): ExitCode {
  const isExpected = error instanceof TenancyError;
  const exitCode = isExpected ? error.exitCode : EXIT.bug;
  const { code, message, hint } = describeError(error);
  if (output === 'json') {
    const event: StampedRunEvent = {
      v: 1,
      at: new Date().toISOString(),
      type: 'run.finished',
      // What was told of its tenants holds.
      ...(soFar ?? { run: null, command: null, counts: new Tally().counts, failed: [], ms: 0 }),
      exitCode,
      error: { code, message, ...(hint === undefined ? {} : { hint }), hook: null, retryable: isExpected && error.isRetryable, log: null },
    };
    stdout.write(`${toJsonLine(event)}\n`);
  } else {
    const palette = createPalette(isColorful);
    if (soFar?.command) stderr.write(`  until then: ${printCounts(soFar.counts, soFar.command, palette)}\n`);
    stderr.write(`${printError({ code, message, ...(hint === undefined ? {} : { hint }) }, palette).join('\n')}\n`);
  }
  if (!isExpected) {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    stderr.write(
      `${redact(stack)}\nThis is a bug in tenancy ${version} (Node ${process.version}); please report it with the lines above.\n`,
    );
  }
  return exitCode;
}
