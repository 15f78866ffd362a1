import { Command, Option } from 'commander';
import type { CommandContext } from './commands/context.js';
import type { ExitCode } from './errors/define.js';
import type { DriverName } from './tenant.js';

/** `DRIVER_NAMES`, without loading anything for `--help`. */
const DRIVERS = ['postgres-schema', 'postgres-database', 'mysql-database', 'mongodb-database'] satisfies DriverName[];

/** The global flags as commander gives them; variables and terminals are looked at by `cli.ts`. */
export interface GlobalFlags {
  readonly config?: string;
  readonly envFile?: readonly string[];
  readonly output?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: boolean;
  readonly yes?: boolean;
  readonly input?: boolean;
  readonly acceptCluster?: readonly string[];
  readonly junit?: string;
}

/** What a command line asked for: the command itself is only loaded when it is run. */
export type Invocation = (context: CommandContext) => Promise<ExitCode>;

/**
 * Builds the commander tree; the chosen command is handed to `choose` instead of being run.
 * A group whose name is nowhere in `argv` stays empty: most of `--help` would be spent on making its commands.
 */
export function createProgram(version: string, argv: readonly string[], choose: (invocation: Invocation) => void): Command {
  const program = new Command('tenancy')
    .description('Provisions, migrates and deprovisions tenants: a schema or a database for each customer.')
    .version(version, '-V, --version')
    .option('-c, --config <path>', 'config file (else tenancy.config.* is searched for, from here up)')
    .option('--env-file <path>', 'read variables from a file first; those that are set already win (repeatable)', collect)
    .addOption(new Option('--output <mode>', 'how to report').choices(['tty', 'plain', 'json']))
    .option('--json', 'the same as --output json')
    .option('--junit <file>', 'of a run over tenants: write a JUnit report too, for CI')
    .option('-q, --quiet', 'failures and results only')
    .option('-v, --verbose', 'every step and migration too')
    .option('--no-color', 'no colours')
    .option('-y, --yes', 'take every default without asking; never replaces the confirmation of a deprovision or rollback')
    .option('--no-input', 'never ask; what would need an answer is refused')
    .option('--accept-cluster <name>', 'go on although this cluster is another server than before (repeatable)', collect)
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for what there is)')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .exitOverride();

  const addGroup = (name: string, description: string, fill: (group: Command, choose: Choose) => void): void => {
    const group = program.command(name).description(description).usage('<command>');
    if (argv.includes(name)) fill(group, choose);
  };
  addGroup('tenant', 'one tenant, or many', addTenantCommands);
  program
    .command('status')
    .description('the fleet: how many tenants are at which version, which lag, which failed')
    .option('--exit-code', 'exit 3 where a tenant is behind, drifted or failed')
    .action((flags) => choose(async (context) => (await import('./commands/status.js')).runStatus(context, flags)));
  addGroup('run', 'what was run, and how it went', addRunCommands);
  addGroup('registry', 'the registry of tenants', addRegistryCommands);
  addGroup('embedded', 'the embedded PostgreSQL of `embedded:DIR`', addEmbeddedCommands);
  program
    .command('init')
    .description('write a config and a first migration; asks, and never overwrites')
    .addOption(new Option('--driver <driver>', 'how tenants are kept apart').choices(DRIVERS))
    .option('--url <url>', 'server of the tenants: postgres://…, mysql://…, mongodb://…, embedded:DIR, or env:NAME for a variable')
    .option('--migrations <directory>', 'folder of the migrations')
    .action((flags) => choose(async (context) => (await import('./commands/init.js')).runInit(context, flags)));
  program
    .command('config')
    .description('the config')
    .command('print')
    .description('with every default filled in, and without secrets')
    .action(() => choose(async (context) => (await import('./commands/config.js')).runConfigPrint(context)));
  program
    .command('doctor')
    .description('look at Node, the config, the registry and every cluster')
    .action(() => choose(async (context) => (await import('./commands/doctor.js')).runDoctor(context)));
  for (const command of walk(program)) command.exitOverride().showSuggestionAfterError();
  return program;
}

type Choose = (invocation: Invocation) => void;

function addTenantCommands(tenant: Command, choose: Choose): void {
  addRunOptions(tenant.command('provision'))
    .description('register, create, migrate, seed, verify and activate; what is done already is left as it is')
    .argument('<id...>', 'tenant ids; - reads them from stdin, one a line')
    .option('--label <key=value>', 'label for the new tenants (repeatable)', collect)
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .option('--dry-run', 'say what would be done; writes nothing')
    .action((ids, flags) => choose(async (context) => (await import('./commands/provision.js')).runProvision(context, ids, flags)));

  addWaves(addSelection(addRunOptions(tenant.command('migrate'))))
    .description('bring tenants to the newest version, or to --to')
    .option('--to <version>', 'newest migration to apply: its name, or its number')
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .option('--dry-run', 'say who would go from where to where; writes nothing')
    .option('--exit-code', 'with --dry-run: exit 3 where something is pending')
    .option('--save <file>', 'with --dry-run: keep the plan, for --plan')
    .option('--plan <file>', 'carry out a plan that was saved, unless something has moved since')
    .option('--allow-out-of-order', 'apply a migration older than the newest applied')
    .option('--force-verify', "read every tenant's own history, also where the registry says that there is nothing to do")
    .action((ids, flags) => choose(async (context) => (await import('./commands/migrate.js')).runMigrate(context, 'migrate', ids, flags)));

  addWaves(addSelection(addRunOptions(tenant.command('rollback'))))
    .description('run down migrations')
    .option('--to <version>', 'the migration that is to be the newest afterwards; none takes all back')
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .option('--dry-run', 'say who would go from where to where; writes nothing')
    .option('--save <file>', 'with --dry-run: keep the plan, for --plan')
    .option('--plan <file>', 'carry out a plan that was saved, unless something has moved since')
    .option('--confirm <n>', 'how many tenants there are, where nobody can be asked')
    .action((ids, flags) => choose(async (context) => (await import('./commands/migrate.js')).runMigrate(context, 'rollback', ids, flags)));

  addLimits(tenant.command('deprovision'))
    .description('remove one tenant and its data for good: one explicit id')
    .argument('[id...]', 'exactly one')
    .option('--confirm <id>', 'the same id again, where nobody can be asked; --yes does not replace it')
    .option('--skip-backup', 'the data may be lost for good')
    .option('--dry-run', 'say what would be done; writes nothing')
    // Known only to be refused: a typo of theirs must never be read as an id.
    .addOption(new Option('--all').hideHelp())
    .addOption(new Option('--label <key=value>').argParser(collect).hideHelp())
    .addOption(new Option('--cluster <name>').argParser(collect).hideHelp())
    .addOption(new Option('--status <status>').argParser(collect).hideHelp())
    .action((ids, flags) => choose(async (context) => (await import('./commands/deprovision.js')).runDeprovision(context, ids, flags)));

  tenant
    .command('list')
    .description('the tenants, in the order of their ids')
    .option('--label <key=value>', 'with this label (repeatable)', collect)
    .option('--cluster <name>', 'on this cluster (repeatable)', collect)
    .option('--status <status>', 'in this status (repeatable); without it, all but deprovisioned', collect)
    .option('--shard <i/n>', 'only the i-th of n parts of the fleet')
    .action((flags) => choose(async (context) => (await import('./commands/list.js')).runList(context, flags)));
  tenant
    .command('show')
    .description('one tenant: where it lives, its version, what was done to it')
    .argument('<id>')
    .action((id) => choose(async (context) => (await import('./commands/show.js')).runShow(context, id)));
  addLimits(tenant.command('suspend'))
    .description('cut access, as far as the database can')
    .argument('<id>')
    .action((id, flags) => choose(async (context) => (await import('./commands/tenant-actions.js')).runSuspend(context, id, flags)));
  addLimits(tenant.command('resume'))
    .description('give access back')
    .argument('<id>')
    .action((id, flags) => choose(async (context) => (await import('./commands/tenant-actions.js')).runResume(context, id, flags)));
  addLimits(tenant.command('repair'))
    .description("bring the registry's record in line with the tenant; settle a statement that was interrupted")
    .argument('<id>')
    .option('--applied', 'the interrupted statement did run')
    .option('--rerun', 'it did not run, and is to be sent again')
    .option('--applied-up-to <version>', 'of a tenant that lost its history: the newest migration that it has, or none')
    .action((id, flags) => choose(async (context) => (await import('./commands/tenant-actions.js')).runRepair(context, id, flags)));
  tenant
    .command('unlock')
    .description('take the lock of a tenant away from whoever holds it; never needed after a crash')
    .argument('<id>')
    .action((id) => choose(async (context) => (await import('./commands/tenant-actions.js')).runUnlock(context, id)));
  tenant
    .command('protect')
    .description('make sure that nobody deprovisions this tenant')
    .argument('<id>')
    .action((id) => choose(async (context) => (await import('./commands/tenant-actions.js')).runProtect(context, id, true)));
  tenant
    .command('unprotect')
    .description('take that back')
    .argument('<id>')
    .action((id) => choose(async (context) => (await import('./commands/tenant-actions.js')).runProtect(context, id, false)));
}

function addRunCommands(run: Command, choose: Choose): void {
  run
    .command('list')
    .description('the newest runs')
    .option('--limit <n>', 'how many', '20')
    .action((flags) => choose(async (context) => (await import('./commands/run.js')).runRunList(context, flags)));
  run
    .command('show')
    .description('one run: its counts, and every tenant that did not end well')
    .argument('<run>', 'its id, or last')
    .action((id) => choose(async (context) => (await import('./commands/run.js')).runRunShow(context, id)));
  run
    .command('pause')
    .description('have a run start no more tenants, wherever it goes on; what is in flight is finished')
    .argument('<run>', 'its id, or last')
    .action((id) => choose(async (context) => (await import('./commands/run-control.js')).runRunPause(context, id)));
  run
    .command('resume')
    .description('have a paused run go on; or go on here with one that was interrupted, or whose process has gone')
    .argument('<run>', 'its id, or last')
    .option('--confirm <n>', 'how many tenants are to be rolled back, where nobody can be asked')
    .action((id, flags) => choose(async (context) => (await import('./commands/run-control.js')).runRunResume(context, id, flags)));
  run
    .command('cancel')
    .description('end a run from elsewhere: what is in flight is finished, as after a Ctrl-C')
    .argument('<run>', 'its id, or last')
    .option('--now', 'stop what is in flight too, as after a second Ctrl-C')
    .action((id, flags) => choose(async (context) => (await import('./commands/run-control.js')).runRunCancel(context, id, flags)));
  addWaves(addRunOptions(run.command('retry')))
    .description('run again what failed, was cancelled or was never started')
    .argument('<run>', 'its id, or last')
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .option('--confirm <n>', 'how many tenants are to be rolled back, where nobody can be asked')
    .action((id, flags) => choose(async (context) => (await import('./commands/run.js')).runRunRetry(context, id, flags)));
}

function addRegistryCommands(registry: Command, choose: Choose): void {
  registry
    .command('init')
    .description('create the registry where registry.url says, or upgrade it')
    .action(() => choose(async (context) => (await import('./commands/registry.js')).runRegistryInit(context)));
  addRunOptions(registry.command('adopt'))
    .description('bring existing schemas or databases in, after showing and counting them')
    .requiredOption('--pattern <pattern>', "physical names, with {id} for the tenant's id: 'tenant_{id}'")
    .option('--cluster <name>', 'where they are; without it, the first cluster of the config')
    .addOption(new Option('--driver <driver>', 'what they are').choices(DRIVERS).default('postgres-schema'))
    .option('--applied-up-to <version>', 'declare the migrations up to this one as applied, where there is no history of ours')
    .option('--label <key=value>', 'label for the adopted tenants (repeatable)', collect)
    .option('--dry-run', 'show what would be adopted; writes nothing')
    .option('--confirm <n>', 'how many there are, where nobody can be asked')
    .action((flags) => choose(async (context) => (await import('./commands/registry.js')).runRegistryAdopt(context, flags)));
}

function addEmbeddedCommands(embedded: Command, choose: Choose): void {
  const url = ['--url [database]', 'print only the URL, with its password'] as const;
  embedded
    .command('start')
    .description('start it and keep it up')
    .argument('[cluster]')
    .option(...url)
    .action((cluster, flags) =>
      choose(async (context) => (await import('./commands/embedded.js')).runEmbeddedStart(context, cluster, flags)),
    );
  embedded
    .command('stop')
    .description('stop it')
    .argument('[cluster]')
    .option('--force', 'also where others are connected')
    .action((cluster, flags) =>
      choose(async (context) => (await import('./commands/embedded.js')).runEmbeddedStop(context, cluster, flags)),
    );
  embedded
    .command('status')
    .description('whether it runs, and where')
    .argument('[cluster]')
    .option(...url)
    .action((cluster, flags) =>
      choose(async (context) => (await import('./commands/embedded.js')).runEmbeddedStatus(context, cluster, flags)),
    );
}

/** Limits that every run over tenants takes. */
function addLimits(command: Command): Command {
  return command
    .option('--retries <n>', 'further attempts after a failure that is worth retrying (3)')
    .option('--timeout <duration>', 'of one tenant, such as 10m')
    .option('--lock-timeout <duration>', 'how long a statement waits for a lock (5s)')
    .option('--statement-timeout <duration>', 'how long a statement may take')
    .option('--lease-wait <duration>', 'how long to wait for a tenant that another process works on (20s)');
}

function addRunOptions(command: Command): Command {
  return addLimits(command.option('--concurrency <n>', "tenants in flight; each cluster's own cap holds besides"));
}

/** How a run goes through its tenants; `run retry` goes as the run did, unless it is told otherwise. */
function addWaves(command: Command): Command {
  return command
    .option('--canary <n|p%>', 'so many tenants first; where one of them fails, nobody else is touched')
    .option('--waves <sizes>', 'how far each wave reaches: 1,10%,100%')
    .option('--soak <duration>', 'how long to wait between two waves, such as 10m');
}

function addSelection(command: Command): Command {
  return command
    .argument('[id...]', 'tenant ids; - reads them from stdin, one a line')
    .option('--all', 'every tenant that is active or suspended')
    .option('--label <key=value>', 'with this label (repeatable)', collect)
    .option('--cluster <name>', 'on this cluster (repeatable)', collect)
    .option('--status <status>', 'in this status (repeatable)', collect)
    .option('--exclude <id>', 'but not this one (repeatable)', collect)
    .option('--failed', 'only those that failed when this command last failed any; also by itself')
    .option('--shard <i/n>', 'only the i-th of n parts of them, as each of n CI jobs takes one');
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function walk(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...walk(child)]);
}
