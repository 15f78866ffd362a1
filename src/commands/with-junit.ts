import path from 'node:path';
import { EXIT, type ExitCode } from '../errors/define.js';
import type { StampedRunEvent } from '../events.js';
import { describeError } from '../reporters/describe.js';
import type { CommandContext } from './context.js';

/**
 * Writes the JUnit report of `--junit` besides, also of a command that fails or is interrupted. That it can't be written is found before
 * anything is done; where it is found at the end only, the run stays what it was, and a success becomes exit 2.
 */
export async function withJunit(
  { globals, cwd, stderr, closeAtExit }: CommandContext,
  command: string,
  use: (report: (event: StampedRunEvent) => void) => Promise<ExitCode>,
): Promise<ExitCode> {
  if (globals.junit === undefined) return use(() => undefined);
  const { openJunitReporter } = await import('../reporters/junit/junit-reporter.js');
  const reporter = await openJunitReporter(path.resolve(cwd, globals.junit), `tenancy ${command}`);
  let isWritten = true;
  const settle = (writing: Promise<void>): Promise<void> =>
    writing.catch((error: unknown) => {
      if (isWritten) stderr.write(`✖ ${describeError(error).message}\n`);
      isWritten = false;
    });
  closeAtExit(() => settle(reporter.abandon()));
  try {
    const exitCode = await use(reporter.report);
    await settle(reporter.finish());
    return exitCode === EXIT.ok && !isWritten ? EXIT.usage : exitCode;
  } catch (error) {
    reporter.fail(error);
    throw error;
  } finally {
    await settle(reporter.finish());
  }
}
