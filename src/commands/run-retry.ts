import type { ExitCode } from '../errors/define.js';
import { parseFailureBudget } from '../fleet/failure-budget.js';
import { confirmTyped } from './ask.js';
import type { CommandContext } from './context.js';
import { readWaveFlags } from './wave-flags.js';
import { type RunFlags, withRun } from './with-tenancy.js';

export interface RetryFlags extends RunFlags {
  readonly maxFailures?: string;
  readonly confirm?: string;
}

export async function runRunRetry(context: CommandContext, id: string, flags: RetryFlags): Promise<ExitCode> {
  const maxFailures = flags.maxFailures === undefined ? null : parseFailureBudget(flags.maxFailures);
  return withRun(context, 'run retry', flags, async (tenancy) => {
    const { command } = await tenancy.findRun(id);
    return tenancy.retryRun(id, {
      maxFailures,
      ...readWaveFlags(flags, tenancy.config.defaults),
      signals: context.takeSignals(),
      confirm: async (selected) => {
        if (command !== 'rollback' || (selected <= 1 && flags.confirm === undefined)) return;
        await confirmTyped(context, String(selected), flags.confirm, `Roll back ${selected} tenants? Type ${selected} to go on: `, {
          what: `a rollback of ${selected} tenants`,
          flag: `--confirm ${selected}`,
        });
      },
    });
  });
}
