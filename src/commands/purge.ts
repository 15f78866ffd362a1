import type { ExitCode } from '../errors/define.js';
import { guardDeprovisionRequest } from '../lifecycle/guard-deprovision.js';
import { confirmTyped } from './ask.js';
import type { CommandContext } from './context.js';
import { type RunFlags, withRun } from './with-tenancy.js';

export interface PurgeFlags extends RunFlags {
  readonly all?: boolean;
  readonly label?: readonly string[];
  readonly cluster?: readonly string[];
  readonly status?: readonly string[];
  readonly confirm?: string;
  readonly early?: boolean;
  readonly dryRun?: boolean;
}

export async function runPurge(context: CommandContext, ids: readonly string[], flags: PurgeFlags): Promise<ExitCode> {
  const given = (['all', 'label', 'cluster', 'status'] as const).find((flag) => flags[flag] !== undefined);
  // Before the config is loaded: its code, too, is only run for a request that makes sense.
  const id = guardDeprovisionRequest({ ids, selectedBy: given === undefined ? null : `--${given}` }, 'purge');
  return withRun(context, 'tenant purge', flags, (tenancy) =>
    tenancy.purge(id, {
      isEarly: flags.early ?? false,
      dryRun: flags.dryRun ?? false,
      signals: context.takeSignals(),
      confirm: (tenant) =>
        confirmTyped(
          context,
          tenant.id,
          flags.confirm,
          `This removes ${tenant.name} on cluster ${tenant.cluster} and all its data${tenant.isRetentionOver ? '' : ', before its time'}.\nType ${tenant.id} to go on: `,
          { what: `purging ${tenant.id}`, flag: `--confirm ${tenant.id}` },
        ),
    }),
  );
}
