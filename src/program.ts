import { Command, Option } from 'commander';
import { addOffboarding } from './program/offboarding-commands.js';
import { addExecutor, addLimits, addRunOptions, addSelection, addWaves, type Choose, collect, type Invocation } from './program/options.js';
import { addRunCommands } from './program/run-commands.js';
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

/**
 * Builds the commander tree; the chosen command is handed to `choose` instead of being run.
 * A group whose name is nowhere in `argv` stays empty, and of one that is there only the chosen command has its options:
 * most of `--help`, and a tenth of `tenant list`, would be spent on making the others.
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
    .configureOutput({ outputError: (text, write) => write(explainDash(text)) })
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .exitOverride();

  const addGroup = (name: string, description: string, fill: (group: Command, choose: Choose) => void): void => {
    const group = program.command(name).description(description).usage('<command>');
    if (!argv.includes(name)) return;
    const chosen = argv[argv.indexOf(name) + 1];
    const isForHelp = chosen === undefined || !/^[a-z]/.test(chosen) || chosen === 'help';
    if (!isForHelp) group.createCommand = (child) => new (argv.includes(child as string) ? Command : NameOnly)(child);
    fill(group, choose);
  };
  addGroup('tenant', 'one tenant, or many', addTenantCommands);
  program
    .command('status')
    .description('the fleet: how many tenants are at which version, which lag, which failed')
    .option('--exit-code', 'exit 3 where a tenant is behind, drifted or failed')
    .action((flags) => choose(async (context) => (await import('./commands/status.js')).runStatus(context, flags)));
  addGroup('run', 'what was run, and how it went', addRunCommands);
  program
    .command('worker')
    .description('take part in runs that were begun with --executor pg-boss, until told to end')
    .option('--concurrency <n>', "tenants in flight here; each cluster's own cap holds over all workers besides")
    .option('--cluster <name>', 'only of this cluster (repeatable)', collect)
    .option('--until-idle', 'end when there is nothing to do')
    .action((flags) => choose(async (context) => (await import('./commands/worker.js')).runWorker(context, flags)));
  addGroup('audit', 'who did what, and whether anybody has changed what is written of it', addAuditCommands);
  addGroup('registry', 'the registry of tenants', addRegistryCommands);
  addGroup('pool', 'schemas or databases made ahead, for new tenants', addPoolCommands);
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

/** `-all`, `-acme`: commander has a suggestion for two dashes only. */
function explainDash(text: string): string {
  return text.replace(/^error: unknown option '-([a-z0-9][^']+)'$/im, (line, word: string) => {
    return `${line}\n(an option of more than one letter has two dashes, --${word}, and no id begins with one)`;
  });
}

/** A neighbour of the command that was chosen: known by its name, for "did you mean", and for nothing else. */
class NameOnly extends Command {
  override option = (): this => this;
  override addOption = (): this => this;
  override requiredOption = (): this => this;
  override argument = (): this => this;
}

function addTenantCommands(tenant: Command, choose: Choose): void {
  addRunOptions(tenant.command('provision'))
    .description('register, create, migrate, seed, verify and activate; what is done already is left as it is')
    .argument('<id...>', 'tenant ids; - reads them from stdin, one a line')
    .option('--label <key=value>', 'label for the new tenants (repeatable)', collect)
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .option('--dry-run', 'say what would be done; writes nothing')
    .action((ids, flags) => choose(async (context) => (await import('./commands/provision.js')).runProvision(context, ids, flags)));

  addExecutor(addWaves(addSelection(addRunOptions(tenant.command('migrate')))))
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

  addExecutor(addWaves(addSelection(addRunOptions(tenant.command('rollback')))))
    .description('run down migrations')
    .option('--to <version>', 'the migration that is to be the newest afterwards; none takes all back')
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .option('--dry-run', 'say who would go from where to where; writes nothing')
    .option('--save <file>', 'with --dry-run: keep the plan, for --plan')
    .option('--plan <file>', 'carry out a plan that was saved, unless something has moved since')
    .option('--confirm <n>', 'how many tenants there are, where nobody can be asked')
    .action((ids, flags) => choose(async (context) => (await import('./commands/migrate.js')).runMigrate(context, 'rollback', ids, flags)));

  addOffboarding(tenant, choose);

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
    .option('--reveal-url', 'print only the URL that its application connects by, with its password')
    .action((id, flags) => choose(async (context) => (await import('./commands/show.js')).runShow(context, id, flags)));
  addSelection(addRunOptions(tenant.command('backup')))
    .description('make a backup of each; the tenants stay as they are')
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .action((ids, flags) => choose(async (context) => (await import('./commands/backup.js')).runBackup(context, ids, flags)));
  tenant
    .command('backups')
    .description('the backups of one tenant, also of one that is gone')
    .argument('<id>')
    .option('--limit <n>', 'how many, newest first (20)')
    .action((id, flags) => choose(async (context) => (await import('./commands/backup.js')).runBackupList(context, id, flags)));
  addLimits(tenant.command('restore'))
    .description('make a tenant of a backup: the same again where it is gone, or with --as another')
    .argument('<id>')
    .option('--from <backup>', 'its id, the path of its file, or last (last)')
    .option('--as <id>', 'the tenant that is made of it, beside the one that was backed up')
    .option('--dry-run', 'look whether it can be, and say what would be done; writes nothing')
    .action((id, flags) => choose(async (context) => (await import('./commands/backup.js')).runRestore(context, id, flags)));
  addLimits(tenant.command('suspend'))
    .description('cut access, as far as the database can')
    .argument('<id>')
    .action((id, flags) => choose(async (context) => (await import('./commands/tenant-actions.js')).runSuspend(context, id, flags)));
  addLimits(tenant.command('resume'))
    .description('give access back')
    .argument('<id>')
    .action((id, flags) => choose(async (context) => (await import('./commands/tenant-actions.js')).runResume(context, id, flags)));
  addLimits(tenant.command('rotate'))
    .description('give a tenant a new credential, or its first; the one before goes on until --finish or the next rotation')
    .argument('<id>')
    .option('--finish', 'only lock the one before, now that nobody uses it any more')
    .option('--overlap <duration>', 'lock the one before by itself, after so long; 0: at once')
    .action((id, flags) => choose(async (context) => (await import('./commands/tenant-actions.js')).runRotate(context, id, flags)));
  addLimits(tenant.command('repair'))
    .description("bring the registry's record in line with the tenant; settle a statement that was interrupted")
    .argument('<id>')
    .option('--applied', 'the interrupted statement did run')
    .option('--rerun', 'it did not run, and is to be sent again')
    .option('--applied-up-to <version>', 'of a tenant that lost its history: the newest migration that it has, or none')
    .action((id, flags) => choose(async (context) => (await import('./commands/tenant-actions.js')).runRepair(context, id, flags)));
  addSelection(
    addRunOptions(tenant.command('verify')),
    'every tenant that is not deprovisioned; and what is on the servers and is nobody’s',
  )
    .description('compare the registry with reality, with --all in both directions, and say what mends each finding')
    .option('--fix', 'mend what can be mended safely, and say what was done')
    .option('--dry-run', 'with --fix: say what would be mended; mends nothing')
    .option('--skip-structure', 'leave out the comparison with a freshly migrated home')
    .option('--exit-code', 'exit 3 where something was found and is there still')
    .action((ids, flags) => choose(async (context) => (await import('./commands/verify.js')).runVerify(context, ids, flags)));
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

function addAuditCommands(audit: Command, choose: Choose): void {
  audit
    .command('show')
    .description('the trail of a tenant; without an id, of what belongs to none: runs, clusters, homes made ahead')
    .argument('[id]')
    .option('--since <time>', 'a date, a time in ISO 8601, or how long ago: 24h')
    .option('--heads', 'only how many events each chain has, and the hash of the newest; with --json for --against')
    .action((id, flags) => choose(async (context) => (await import('./commands/audit.js')).runAuditShow(context, id, flags)));
  audit
    .command('verify')
    .description('look for events that were edited, removed, inserted, swapped or cut off')
    .argument('[id]')
    .option('--all', 'of every tenant, and of what belongs to none')
    .option('--against <file>', 'heads that were kept elsewhere: what audit show --heads --json wrote')
    .action((id, flags) => choose(async (context) => (await import('./commands/audit.js')).runAuditVerify(context, id, flags)));
}

function addPoolCommands(pool: Command, choose: Choose): void {
  pool
    .command('fill')
    .description('make homes ahead for tenants to come; mends, brings up to date and drops what has to be')
    .argument('[count]', 'so many are to be ready; without it, as the config says')
    .option('--cluster <name>', 'only the pool of this cluster')
    .action((count, flags) => choose(async (context) => (await import('./commands/pool.js')).runPoolFill(context, count, flags)));
  pool
    .command('status')
    .description('how many are ready, stale or broken')
    .option('--cluster <name>', 'only the pool of this cluster')
    .action((flags) => choose(async (context) => (await import('./commands/pool.js')).runPoolStatus(context, flags)));
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

function walk(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...walk(child)]);
}
