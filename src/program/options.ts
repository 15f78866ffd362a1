import type { Command } from 'commander';
import type { CommandContext } from '../commands/context.js';
import type { ExitCode } from '../errors/define.js';
import type { DriverName } from '../tenant.js';

/** `DRIVER_NAMES`, without loading anything for `--help`. */
export const DRIVERS: readonly DriverName[] = ['postgres-schema', 'postgres-database', 'mysql-database', 'mongodb-database'];

/** What a command line asked for: the command itself is only loaded when it is run. */
export type Invocation = (context: CommandContext) => Promise<ExitCode>;

export type Choose = (invocation: Invocation) => void;

/** Limits that every run over tenants takes. */
export function addLimits(command: Command): Command {
  return command
    .option('--retries <n>', 'further attempts after a failure that is worth retrying (3)')
    .option('--timeout <duration>', 'of one tenant, such as 10m')
    .option('--lock-timeout <duration>', 'how long a statement waits for a lock (5s)')
    .option('--statement-timeout <duration>', 'how long a statement may take')
    .option('--lease-wait <duration>', 'how long to wait for a tenant that another process works on (20s)');
}

export function addRunOptions(command: Command): Command {
  return addLimits(command.option('--concurrency <n>', "tenants in flight; each cluster's own cap holds besides"));
}

/** How a run goes through its tenants; `run retry` goes as the run did, unless it is told otherwise. */
export function addWaves(command: Command): Command {
  return command
    .option('--canary <n|p%>', 'so many tenants first; where one of them fails, nobody else is touched')
    .option('--waves <sizes>', 'how far each wave reaches: 1,10%,100%')
    .option('--soak <duration>', 'how long to wait between two waves, such as 10m');
}

/** Which processes carry the run out. */
export function addExecutor(command: Command): Command {
  return command.option('--executor <executor>', 'local: in this process; pg-boss: by `tenancy worker` processes, wherever they are');
}

/** @param all what `--all` means */
export function addSelection(command: Command, all = 'every tenant that is active or suspended'): Command {
  return command
    .argument('[id...]', 'tenant ids; - reads them from stdin, one a line')
    .option('--all', all)
    .option('--label <key=value>', 'with this label (repeatable)', collect)
    .option('--cluster <name>', 'on this cluster (repeatable)', collect)
    .option('--status <status>', 'in this status (repeatable)', collect)
    .option('--exclude <id>', 'but not this one (repeatable)', collect)
    .option('--failed', 'only those that failed when this command last failed any; also by itself')
    .option('--shard <i/n>', 'only the i-th of n parts of them, as each of n CI jobs takes one');
}

export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
