import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import { parseFailureBudget } from '../fleet/failure-budget.js';
import { printBackupList, toBackupListDocument } from '../reporters/documents/backup-document.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import type { CommandContext } from './context.js';
import { parseSelectionFlags, type SelectionFlags } from './selection-flags.js';
import { type RunFlags, withRun, withTenancy } from './with-tenancy.js';

export interface BackupFlags extends RunFlags, SelectionFlags {
  readonly maxFailures?: string;
}

export async function runBackup(context: CommandContext, ids: readonly string[], flags: BackupFlags): Promise<ExitCode> {
  const maxFailures = flags.maxFailures === undefined ? null : parseFailureBudget(flags.maxFailures);
  const selection = await parseSelectionFlags(context, ids, flags);
  return withRun(context, 'tenant backup', flags, (tenancy) => tenancy.backup(selection, { maxFailures, signals: context.takeSignals() }));
}

export interface RestoreFlags extends RunFlags {
  readonly from?: string;
  readonly as?: string;
  readonly dryRun?: boolean;
}

export async function runRestore(context: CommandContext, id: string, flags: RestoreFlags): Promise<ExitCode> {
  return withRun(context, 'tenant restore', flags, (tenancy) =>
    tenancy.restore(id, {
      from: flags.from ?? 'last',
      as: flags.as ?? null,
      cwd: context.cwd,
      dryRun: flags.dryRun ?? false,
      signals: context.takeSignals(),
    }),
  );
}

export async function runBackupList(context: CommandContext, id: string, flags: { readonly limit?: string }): Promise<ExitCode> {
  const limit = parseLimit(flags.limit ?? '20');
  return withTenancy(context, 'tenant backups', async (tenancy) => {
    const backups = await tenancy.listBackups(id, { limit });
    // None of an id that nobody has ever had is a typo.
    if (backups.length === 0) await tenancy.find(id);
    await writeDocument(toBackupListDocument(id, backups), printBackupList, { ...context, ...context.globals });
    return EXIT.ok;
  });
}

function parseLimit(raw: string): number {
  const limit = Number(raw);
  if (Number.isInteger(limit) && limit > 0 && limit <= 10_000) return limit;
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--limit', value: raw, expected: 'a number from 1 to 10000' });
}
