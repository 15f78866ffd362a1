import type { Command } from 'commander';
import type { Choose } from './options.js';

export function addPoolCommands(pool: Command, choose: Choose): void {
  pool
    .command('fill')
    .description('make homes ahead for tenants to come; mends, brings up to date and drops what has to be')
    .argument('[count]', 'so many are to be ready; without it, as the config says')
    .option('--cluster <name>', 'only the pool of this cluster')
    .action((count, flags) => choose(async (context) => (await import('../commands/pool.js')).runPoolFill(context, count, flags)));
  pool
    .command('status')
    .description('how many are ready, stale or broken')
    .option('--cluster <name>', 'only the pool of this cluster')
    .action((flags) => choose(async (context) => (await import('../commands/pool.js')).runPoolStatus(context, flags)));
}
