import { type Command, Option } from 'commander';
import { addLimits, type Choose, collect } from './options.js';

/** How a tenant leaves, and how it comes back. */
export function addOffboarding(tenant: Command, choose: Choose): void {
  refuseSelection(addLimits(tenant.command('deprovision')))
    .description('remove one tenant and its data for good, or keep it for a while: one explicit id')
    .argument('[id...]', 'exactly one')
    .option('--retain <time>', 'close it and keep it for so long, such as 30d, instead of dropping it; none drops it at once')
    .option('--confirm <id>', 'the same id again, where nobody can be asked; --yes does not replace it')
    .option('--skip-backup', 'the data may be lost for good')
    .option('--dry-run', 'say what would be done; writes nothing')
    .action((ids, flags) => choose(async (context) => (await import('../commands/deprovision.js')).runDeprovision(context, ids, flags)));
  addLimits(tenant.command('undelete'))
    .description('bring a retained tenant back whole')
    .argument('<id>')
    .option('--dry-run', 'say what would be done; writes nothing')
    .action((id, flags) => choose(async (context) => (await import('../commands/undelete.js')).runUndelete(context, id, flags)));
  refuseSelection(addLimits(tenant.command('purge')))
    .description('remove a retained tenant for good, once its time is over: one explicit id')
    .argument('[id...]', 'exactly one')
    .option('--early', 'also before its time is over')
    .option('--confirm <id>', 'the same id again, where nobody can be asked; --yes does not replace it')
    .option('--dry-run', 'say what would be done; writes nothing')
    .action((ids, flags) => choose(async (context) => (await import('../commands/purge.js')).runPurge(context, ids, flags)));
}

/** Known only to be refused: a typo of theirs must never be read as an id. */
function refuseSelection(command: Command): Command {
  return command
    .addOption(new Option('--all').hideHelp())
    .addOption(new Option('--label <key=value>').argParser(collect).hideHelp())
    .addOption(new Option('--cluster <name>').argParser(collect).hideHelp())
    .addOption(new Option('--status <status>').argParser(collect).hideHelp());
}
