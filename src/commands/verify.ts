import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import type { CommandContext } from './context.js';
import { parseSelectionFlags, type SelectionFlags } from './selection-flags.js';
import { type RunFlags, withRun } from './with-tenancy.js';

export interface VerifyFlags extends RunFlags, SelectionFlags {
  readonly fix?: boolean;
  readonly dryRun?: boolean;
  readonly skipStructure?: boolean;
  readonly exitCode?: boolean;
}

export async function runVerify(context: CommandContext, ids: readonly string[], flags: VerifyFlags): Promise<ExitCode> {
  if (flags.dryRun && !flags.fix) {
    throw new TenancyError('TENANCY_COMMAND_LINE_REJECTED', { reason: '--dry-run is for --fix: without it, verify mends nothing' });
  }
  const selection = await parseSelectionFlags(context, ids, flags);
  return withRun(context, 'tenant verify', flags, (tenancy) =>
    tenancy.verify(selection, {
      fix: flags.fix ?? false,
      dryRun: flags.dryRun ?? false,
      skipStructure: flags.skipStructure ?? false,
      exitCodeOfFindings: flags.exitCode ? EXIT.pending : EXIT.ok,
      signals: context.takeSignals(),
    }),
  );
}
