import type { ExitCode } from '../errors/define.js';
import { guardDeprovisionRequest } from '../lifecycle/guard-deprovision.js';
import type { Tenant } from '../tenant.js';
import { formatDuration } from '../util/duration.js';
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
  readonly retain?: string;
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
      confirm: (tenant, { retainForMs }) =>
        confirmTyped(
          context,
          tenant.id,
          flags.confirm,
          `${describeEnd(tenant, retainForMs)}${flags.skipBackup ? ', without a backup' : ''}.\nType ${tenant.id} to go on: `,
          { what: `deprovisioning ${tenant.id}`, flag: `--confirm ${tenant.id}` },
        ),
    }),
  );
}

function describeEnd({ name, cluster }: Tenant, retainForMs: number | null): string {
  const home = `${name} on cluster ${cluster}`;
  if (retainForMs === null) return `This removes ${home} and all its data`;
  return `This closes ${home} and keeps it for ${formatDuration(retainForMs)}`;
}
