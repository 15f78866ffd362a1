import { type Command, Option } from 'commander';
import { addRunOptions, type Choose, collect, DRIVERS } from './options.js';

export function addRegistryCommands(registry: Command, choose: Choose): void {
  registry
    .command('init')
    .description('create the registry where registry.url says, or upgrade it')
    .action(() => choose(async (context) => (await import('../commands/registry.js')).runRegistryInit(context)));
  addRunOptions(registry.command('adopt'))
    .description('bring existing schemas or databases in, after showing and counting them')
    .requiredOption('--pattern <pattern>', "physical names, with {id} for the tenant's id: 'tenant_{id}'")
    .option('--cluster <name>', 'where they are; without it, the first cluster of the config')
    .addOption(new Option('--driver <driver>', 'what they are').choices(DRIVERS).default('postgres-schema'))
    .option('--applied-up-to <version>', 'declare the migrations up to this one as applied, where there is no history of ours')
    .option('--label <key=value>', 'label for the adopted tenants (repeatable)', collect)
    .option('--dry-run', 'show what would be adopted; writes nothing')
    .option('--confirm <n>', 'how many there are, where nobody can be asked')
    .action((flags) => choose(async (context) => (await import('../commands/registry.js')).runRegistryAdopt(context, flags)));
}
