import type { ExitCode } from '../errors/define.js';
import type { CommandContext } from './context.js';
import { type RunFlags, withRun } from './with-tenancy.js';

export interface UndeleteFlags extends RunFlags {
  readonly dryRun?: boolean;
}

export async function runUndelete(context: CommandContext, id: string, flags: UndeleteFlags): Promise<ExitCode> {
  return withRun(context, 'tenant undelete', flags, (tenancy) =>
    tenancy.undelete(id, { dryRun: flags.dryRun ?? false, signals: context.takeSignals() }),
  );
}
