import path from 'node:path';
import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import { parseFailureBudget } from '../fleet/failure-budget.js';
import { confirmTyped } from './ask.js';
import type { CommandContext } from './context.js';
import { parseSelectionFlags, type SelectionFlags } from './selection-flags.js';
import { refuseIdleSoak } from './wave-flags.js';
import { type RunFlags, withRun } from './with-tenancy.js';

export interface MigrateFlags extends RunFlags, SelectionFlags {
  readonly to?: string;
  readonly maxFailures?: string;
  readonly dryRun?: boolean;
  readonly exitCode?: boolean;
  readonly allowOutOfOrder?: boolean;
  readonly forceVerify?: boolean;
  readonly confirm?: string;
  readonly save?: string;
  readonly plan?: string;
}

export async function runMigrate(
  context: CommandContext,
  command: 'migrate' | 'rollback',
  ids: readonly string[],
  flags: MigrateFlags,
): Promise<ExitCode> {
  const { globals, cwd } = context;
  const options = {
    maxFailures: flags.maxFailures === undefined ? null : parseFailureBudget(flags.maxFailures),
    dryRun: flags.dryRun ?? false,
    exitCodeOfPending: flags.exitCode ? EXIT.pending : EXIT.ok,
    allowOutOfOrder: flags.allowOutOfOrder ?? false,
    forceVerify: flags.forceVerify ?? false,
    signals: context.takeSignals(),
    ...(command === 'rollback' && { confirm: (selected: number) => confirmCount(context, selected, flags.confirm) }),
  };
  if (flags.plan !== undefined) {
    refuseBesidePlan(ids, flags);
    const file = flags.plan;
    return withRun(context, `tenant ${command}`, flags, async (tenancy) => {
      refuseIdleSoak(flags, tenancy.config.defaults.waves);
      return tenancy.carryOut(command, path.resolve(cwd, file), options);
    });
  }
  if (command === 'rollback' && flags.to === undefined) {
    throw new TenancyError('TENANCY_COMMAND_LINE_REJECTED', { reason: "required option '--to <version>' not specified" });
  }
  const selection = await parseSelectionFlags(context, ids, flags);
  const asked = {
    ...options,
    save: flags.save === undefined ? null : path.resolve(cwd, flags.save),
    listsTenants: globals.output === 'json' || globals.isVerbose || globals.junit !== undefined,
  };
  return withRun(context, `tenant ${command}`, flags, async (tenancy) => {
    refuseIdleSoak(flags, tenancy.config.defaults.waves);
    return command === 'migrate'
      ? tenancy.migrate(selection, { ...asked, to: flags.to ?? null })
      : tenancy.rollback(selection, { ...asked, to: flags.to ?? '' });
  });
}

/** What the plan says already. */
const PLANNED = ['all', 'label', 'cluster', 'status', 'exclude', 'failed', 'shard', 'to', 'allowOutOfOrder', 'save'] as const;

function refuseBesidePlan(ids: readonly string[], flags: MigrateFlags): void {
  const given = PLANNED.find((name) => flags[name] !== undefined);
  const option = ids.length > 0 ? ids[0] : given?.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if (option === undefined) return;
  const reason = `--plan says already which tenants go from where to where: leave out ${ids.length > 0 ? option : `--${option}`}`;
  throw new TenancyError('TENANCY_COMMAND_LINE_REJECTED', { reason });
}

/** More than one tenant at once is asked for: by typing how many. */
async function confirmCount(context: CommandContext, selected: number, given: string | undefined): Promise<void> {
  if (selected <= 1 && given === undefined) return;
  await confirmTyped(context, String(selected), given, `Roll back ${selected} tenants? Type ${selected} to go on: `, {
    what: `a rollback of ${selected} tenants`,
    flag: `--confirm ${selected}`,
  });
}
