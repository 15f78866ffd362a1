import type { Command } from 'commander';
import type { Choose } from './options.js';

export function addEmbeddedCommands(embedded: Command, choose: Choose): void {
  const url = ['--url [database]', 'print only the URL, with its password'] as const;
  embedded
    .command('start')
    .description('start it and keep it up')
    .argument('[cluster]')
    .option(...url)
    .action((cluster, flags) =>
      choose(async (context) => (await import('../commands/embedded.js')).runEmbeddedStart(context, cluster, flags)),
    );
  embedded
    .command('stop')
    .description('stop it')
    .argument('[cluster]')
    .option('--force', 'also where others are connected')
    .action((cluster, flags) =>
      choose(async (context) => (await import('../commands/embedded.js')).runEmbeddedStop(context, cluster, flags)),
    );
  embedded
    .command('status')
    .description('whether it runs, and where')
    .argument('[cluster]')
    .option(...url)
    .action((cluster, flags) =>
      choose(async (context) => (await import('../commands/embedded.js')).runEmbeddedStatus(context, cluster, flags)),
    );
}
