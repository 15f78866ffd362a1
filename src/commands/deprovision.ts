import type { ExitCode } from '../errors/define.js';
import { guardDeprovisionRequest } from '../lifecycle/guard-deprovision.js';
import { confirmTyped } from './ask.js';
import type { CommandContext } from './context.js';
import { type RunFlags, withRun } from './with-tenancy.js';

export interface DeprovisionFlags extends RunFlags {
  readonly all?: boolean;
  readonly label?: readonly string[];
  readonly cluster?: readonly string[];
  readonly status?: readonly string[];
  readonly confirm?: string;
  readonly skipBackup?: boolean;
  readonly dryRun?: boolean;
}

export async function runDeprovision(context: CommandContext, ids: readonly string[], flags: DeprovisionFlags): Promise<ExitCode> {
  const given = (['all', 'label', 'cluster', 'status'] as const).find((flag) => flags[flag] !== undefined);
  // Before the config is loaded: its code, too, is only run for a request that makes sense.
  const id = guardDeprovisionRequest({ ids, selectedBy: given === undefined ? null : `--${given}` });
  return withRun(context, 'tenant deprovision', flags, (tenancy) =>
    tenancy.deprovision(id, {
      skipBackup: flags.skipBackup ?? false,
      dryRun: flags.dryRun ?? false,
      signals: context.takeSignals(),
      confirm: (tenant) =>
        confirmTyped(
          context,
          tenant.id,
          flags.confirm,
          `This removes ${tenant.name} on cluster ${tenant.cluster} and all its data${flags.skipBackup ? ', without a backup' : ''}.\nType ${tenant.id} to go on: `,
          { what: `deprovisioning ${tenant.id}`, flag: `--confirm ${tenant.id}` },
        ),
    }),
  );
}
