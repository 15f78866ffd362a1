import { EXIT, type ExitCode } from '../errors/define.js';
import { parseFailureBudget } from '../fleet/failure-budget.js';
import { confirmTyped } from './ask.js';
import type { CommandContext } from './context.js';
import { parseSelectionFlags, type SelectionFlags } from './selection-flags.js';
import { type RunFlags, withRun } from './with-tenancy.js';

export interface MigrateFlags extends RunFlags, SelectionFlags {
  readonly to?: string;
  readonly maxFailures?: string;
  readonly dryRun?: boolean;
  readonly exitCode?: boolean;
  readonly allowOutOfOrder?: boolean;
  readonly forceVerify?: boolean;
  readonly confirm?: string;
}

export async function runMigrate(
  context: CommandContext,
  command: 'migrate' | 'rollback',
  ids: readonly string[],
  flags: MigrateFlags,
): Promise<ExitCode> {
  const selection = await parseSelectionFlags(context, ids, flags);
  const options = {
    maxFailures: flags.maxFailures === undefined ? null : parseFailureBudget(flags.maxFailures),
    dryRun: flags.dryRun ?? false,
    exitCodeOfPending: flags.exitCode ? EXIT.pending : EXIT.ok,
    allowOutOfOrder: flags.allowOutOfOrder ?? false,
    forceVerify: flags.forceVerify ?? false,
    signals: context.takeSignals(),
  };
  return withRun(context, `tenant ${command}`, flags, (tenancy) =>
    command === 'migrate'
      ? tenancy.migrate(selection, { ...options, to: flags.to ?? null })
      : tenancy.rollback(selection, {
          ...options,
          to: flags.to ?? '',
          confirm: (selected) => confirmCount(context, selected, flags.confirm),
        }),
  );
}

/** More than one tenant at once is asked for: by typing how many. */
async function confirmCount(context: CommandContext, selected: number, given: string | undefined): Promise<void> {
  if (selected <= 1 && given === undefined) return;
  await confirmTyped(context, String(selected), given, `Roll back ${selected} tenants? Type ${selected} to go on: `, {
    what: `a rollback of ${selected} tenants`,
    flag: `--confirm ${selected}`,
  });
}
