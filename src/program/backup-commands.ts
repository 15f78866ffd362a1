import type { Command } from 'commander';
import { addLimits, addRunOptions, addSelection, type Choose } from './options.js';

export function addBackupCommands(tenant: Command, choose: Choose): void {
  addSelection(addRunOptions(tenant.command('backup')))
    .description('make a backup of each; the tenants stay as they are')
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .action((ids, flags) => choose(async (context) => (await import('../commands/backup.js')).runBackup(context, ids, flags)));
  tenant
    .command('backups')
    .description('the backups of one tenant, also of one that is gone')
    .argument('<id>')
    .option('--limit <n>', 'how many, newest first (20)')
    .action((id, flags) => choose(async (context) => (await import('../commands/backup.js')).runBackupList(context, id, flags)));
  addLimits(tenant.command('restore'))
    .description('make a tenant of a backup: the same again where it is gone, or with --as another')
    .argument('<id>')
    .option('--from <backup>', 'its id, the path of its file, or last (last)')
    .option('--as <id>', 'the tenant that is made of it, beside the one that was backed up')
    .option('--dry-run', 'look whether it can be, and say what would be done; writes nothing')
    .action((id, flags) => choose(async (context) => (await import('../commands/backup.js')).runRestore(context, id, flags)));
}
