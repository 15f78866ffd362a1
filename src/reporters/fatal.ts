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
import { printError } from './summary.js';

export interface FatalOptions {
  readonly output: OutputMode;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly isColorful: boolean;
  readonly version: string;
}

/**
 * Words what ended a whole command: a refusal, a wrong config, a registry out of reach. In JSON it ends in the same event as any run.
 * Anything that isn't a `TenancyError` is a bug, and told with its stack.
 */
export function reportFatal(error: unknown, { output, stdout, stderr, isColorful, version }: FatalOptions): ExitCode {
  const isExpected = error instanceof TenancyError;
  const exitCode = isExpected ? error.exitCode : EXIT.bug;
  const { code, message, hint } = describeError(error);
  if (output === 'json') {
    const event: StampedRunEvent = {
      v: 1,
      at: new Date().toISOString(),
      run: null,
      type: 'run.finished',
      command: null,
      counts: new Tally().counts,
      failed: [],
      ms: 0,
      exitCode,
      error: { code, message, ...(hint === undefined ? {} : { hint }), hook: null, retryable: isExpected && error.isRetryable, log: null },
    };
    stdout.write(`${toJsonLine(event)}\n`);
  } else {
    stderr.write(`${printError({ code, message, ...(hint === undefined ? {} : { hint }) }, createPalette(isColorful)).join('\n')}\n`);
  }
  if (!isExpected) {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    stderr.write(
      `${redact(stack)}\nThis is a bug in tenancy ${version} (Node ${process.version}); please report it with the lines above.\n`,
    );
  }
  return exitCode;
}
