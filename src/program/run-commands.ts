import type { Command } from 'commander';
import { addRunOptions, addWaves, type Choose } from './options.js';

export function addRunCommands(run: Command, choose: Choose): void {
  run
    .command('list')
    .description('the newest runs')
    .option('--limit <n>', 'how many', '20')
    .action((flags) => choose(async (context) => (await import('../commands/run.js')).runRunList(context, flags)));
  run
    .command('show')
    .description('one run: its counts, and every tenant that did not end well')
    .argument('<run>', 'its id, or last')
    .action((id) => choose(async (context) => (await import('../commands/run.js')).runRunShow(context, id)));
  run
    .command('pause')
    .description('have a run start no more tenants, wherever it goes on; what is in flight is finished')
    .argument('<run>', 'its id, or last')
    .action((id) => choose(async (context) => (await import('../commands/run-control.js')).runRunPause(context, id)));
  run
    .command('resume')
    .description('have a paused run go on; or go on here with one that was interrupted, or whose process has gone')
    .argument('<run>', 'its id, or last')
    .option('--confirm <n>', 'how many tenants are to be rolled back, where nobody can be asked')
    .action((id, flags) => choose(async (context) => (await import('../commands/run-control.js')).runRunResume(context, id, flags)));
  run
    .command('cancel')
    .description('end a run from elsewhere: what is in flight is finished, as after a Ctrl-C')
    .argument('<run>', 'its id, or last')
    .option('--now', 'stop what is in flight too, as after a second Ctrl-C')
    .action((id, flags) => choose(async (context) => (await import('../commands/run-control.js')).runRunCancel(context, id, flags)));
  run
    .command('follow')
    .description('tell what becomes of a run that workers carry out; a Ctrl-C ends the telling only')
    .argument('<run>', 'its id, or last')
    .action((id) => choose(async (context) => (await import('../commands/worker.js')).runRunFollow(context, id)));
  addWaves(addRunOptions(run.command('retry')))
    .description('run again what failed, was cancelled or was never started')
    .argument('<run>', 'its id, or last')
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .option('--confirm <n>', 'how many tenants are to be rolled back, where nobody can be asked')
    .action((id, flags) => choose(async (context) => (await import('../commands/run-retry.js')).runRunRetry(context, id, flags)));
  run
    .command('merge')
    .description('one report of several runs, such as those of shards; needs no config and no server')
    .argument('<report...>', 'what each wrote to stdout with --json: files; - for stdin')
    .action((files) => choose(async (context) => (await import('../commands/run-merge.js')).runRunMerge(context, files)));
}
