import { Command, Option } from 'commander';
import { addAuditCommands } from './program/audit-commands.js';
import { addEmbeddedCommands } from './program/embedded-commands.js';
import { type Choose, collect, DRIVERS, type Invocation } from './program/options.js';
import { addPoolCommands } from './program/pool-commands.js';
import { addRegistryCommands } from './program/registry-commands.js';
import { addRunCommands } from './program/run-commands.js';
import { addTenantCommands } from './program/tenant-commands.js';

/** Gives a command its words, its options and what it does. */
type Fill = (command: Command, choose: Choose, argv: readonly string[]) => void;

/** What a command line begins with, in the order of `--help`. */
const commands: ReadonlyMap<string, Fill> = new Map<string, Fill>([
  ['tenant', group('one tenant, or many', addTenantCommands)],
  [
    'status',
    (command, choose) => {
      command
        .description('the fleet: how many tenants are at which version, which lag, which failed')
        .option('--exit-code', 'exit 3 where a tenant is behind, drifted or failed')
        .action((flags) => choose(async (context) => (await import('./commands/status.js')).runStatus(context, flags)));
    },
  ],
  ['run', group('what was run, and how it went', addRunCommands)],
  [
    'worker',
    (command, choose) => {
      command
        .description('take part in runs that were begun with --executor pg-boss, until told to end')
        .option('--concurrency <n>', "tenants in flight here; each cluster's own cap holds over all workers besides")
        .option('--cluster <name>', 'only of this cluster (repeatable)', collect)
        .option('--until-idle', 'end when there is nothing to do')
        .action((flags) => choose(async (context) => (await import('./commands/worker.js')).runWorker(context, flags)));
    },
  ],
  ['audit', group('who did what, and whether anybody has changed what is written of it', addAuditCommands)],
  ['registry', group('the registry of tenants', addRegistryCommands)],
  ['pool', group('schemas or databases made ahead, for new tenants', addPoolCommands)],
  ['embedded', group('the embedded PostgreSQL of `embedded:DIR`', addEmbeddedCommands)],
  [
    'init',
    (command, choose) => {
      command
        .description('write a config and a first migration; asks, and never overwrites')
        .addOption(new Option('--driver <driver>', 'how tenants are kept apart').choices(DRIVERS))
        .option('--url <url>', 'server of the tenants: postgres://…, mysql://…, mongodb://…, embedded:DIR, or env:NAME for a variable')
        .option('--migrations <directory>', 'folder of the migrations')
        .action((flags) => choose(async (context) => (await import('./commands/init.js')).runInit(context, flags)));
    },
  ],
  [
    'config',
    (command, choose) => {
      command
        .description('the config')
        .command('print')
        .description('with every default filled in, and without secrets')
        .action(() => choose(async (context) => (await import('./commands/config.js')).runConfigPrint(context)));
    },
  ],
  [
    'doctor',
    (command, choose) => {
      command
        .description('look at Node, the config, the registry and every cluster')
        .action(() => choose(async (context) => (await import('./commands/doctor.js')).runDoctor(context)));
    },
  ],
]);

/**
 * Builds the commander tree; the chosen command is handed to `choose` instead of being run. Where `argv` begins with one, that is all there is,
 * and of a group only the chosen command has its options: to make the others would be a tenth of `tenant list`.
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
  const [first = ''] = argv;
  for (const [name, fill] of commands) if (name === first || !commands.has(first)) fill(program.command(name), choose, argv);
  for (const command of walk(program)) command.exitOverride().showSuggestionAfterError();
  return program;
}

/** One whose name is nowhere in `argv` stays empty, which is most of `--help`. */
function group(description: string, fill: (group: Command, choose: Choose) => void): Fill {
  return (command, choose, argv) => {
    const name = command.description(description).usage('<command>').name();
    if (!argv.includes(name)) return;
    const chosen = argv[argv.indexOf(name) + 1];
    const isForHelp = chosen === undefined || !/^[a-z]/.test(chosen) || chosen === 'help';
    if (!isForHelp) command.createCommand = (child) => new (argv.includes(child as string) ? Command : NameOnly)(child);
    fill(command, choose);
  };
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

function walk(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...walk(child)]);
}
