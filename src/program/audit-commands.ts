import type { Command } from 'commander';
import type { Choose } from './options.js';

export function addAuditCommands(audit: Command, choose: Choose): void {
  audit
    .command('show')
    .description('the trail of a tenant; without an id, of what belongs to none: runs, clusters, homes made ahead')
    .argument('[id]')
    .option('--since <time>', 'a date, a time in ISO 8601, or how long ago: 24h')
    .option('--heads', 'only how many events each chain has, and the hash of the newest; with --json for --against')
    .action((id, flags) => choose(async (context) => (await import('../commands/audit.js')).runAuditShow(context, id, flags)));
  audit
    .command('verify')
    .description('look for events that were edited, removed, inserted, swapped or cut off')
    .argument('[id]')
    .option('--all', 'of every tenant, and of what belongs to none')
    .option('--against <file>', 'heads that were kept elsewhere: what audit show --heads --json wrote')
    .action((id, flags) => choose(async (context) => (await import('../commands/audit.js')).runAuditVerify(context, id, flags)));
}
