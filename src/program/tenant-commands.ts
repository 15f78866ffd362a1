import type { Command } from 'commander';
import { addBackupCommands } from './backup-commands.js';
import { addOffboarding } from './offboarding-commands.js';
import { addExecutor, addLimits, addRunOptions, addSelection, addWaves, type Choose, collect } from './options.js';

export function addTenantCommands(tenant: Command, choose: Choose): void {
  addRunOptions(tenant.command('provision'))
    .description('register, create, migrate, seed, verify and activate; what is done already is left as it is')
    .argument('<id...>', 'tenant ids; - reads them from stdin, one a line')
    .option('--label <key=value>', 'label for the new tenants (repeatable)', collect)
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .option('--dry-run', 'say what would be done; writes nothing')
    .action((ids, flags) => choose(async (context) => (await import('../commands/provision.js')).runProvision(context, ids, flags)));

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
    .action((ids, flags) => choose(async (context) => (await import('../commands/migrate.js')).runMigrate(context, 'migrate', ids, flags)));

  addExecutor(addWaves(addSelection(addRunOptions(tenant.command('rollback')))))
    .description('run down migrations')
    .option('--to <version>', 'the migration that is to be the newest afterwards; none takes all back')
    .option('--max-failures <n|p%>', 'start no more tenants once more than this many have failed')
    .option('--dry-run', 'say who would go from where to where; writes nothing')
    .option('--save <file>', 'with --dry-run: keep the plan, for --plan')
    .option('--plan <file>', 'carry out a plan that was saved, unless something has moved since')
    .option('--confirm <n>', 'how many tenants there are, where nobody can be asked')
    .action((ids, flags) =>
      choose(async (context) => (await import('../commands/migrate.js')).runMigrate(context, 'rollback', ids, flags)),
    );

  addOffboarding(tenant, choose);

  tenant
    .command('list')
    .description('the tenants, in the order of their ids')
    .option('--label <key=value>', 'with this label (repeatable)', collect)
    .option('--cluster <name>', 'on this cluster (repeatable)', collect)
    .option('--status <status>', 'in this status (repeatable); without it, all but deprovisioned', collect)
    .option('--shard <i/n>', 'only the i-th of n parts of the fleet')
    .action((flags) => choose(async (context) => (await import('../commands/list.js')).runList(context, flags)));
  tenant
    .command('show')
    .description('one tenant: where it lives, its version, what was done to it')
    .argument('<id>')
    .option('--reveal-url', 'print only the URL that its application connects by, with its password')
    .action((id, flags) => choose(async (context) => (await import('../commands/show.js')).runShow(context, id, flags)));
  addBackupCommands(tenant, choose);
  addLimits(tenant.command('suspend'))
    .description('cut access, as far as the database can')
    .argument('<id>')
    .action((id, flags) => choose(async (context) => (await import('../commands/tenant-actions.js')).runSuspend(context, id, flags)));
  addLimits(tenant.command('resume'))
    .description('give access back')
    .argument('<id>')
    .action((id, flags) => choose(async (context) => (await import('../commands/tenant-actions.js')).runResume(context, id, flags)));
  addLimits(tenant.command('rotate'))
    .description('give a tenant a new credential, or its first; the one before goes on until --finish or the next rotation')
    .argument('<id>')
    .option('--finish', 'only lock the one before, now that nobody uses it any more')
    .option('--overlap <duration>', 'lock the one before by itself, after so long; 0: at once')
    .action((id, flags) => choose(async (context) => (await import('../commands/tenant-actions.js')).runRotate(context, id, flags)));
  addLimits(tenant.command('repair'))
    .description("bring the registry's record in line with the tenant; settle a statement that was interrupted")
    .argument('<id>')
    .option('--applied', 'the interrupted statement did run')
    .option('--rerun', 'it did not run, and is to be sent again')
    .option('--applied-up-to <version>', 'of a tenant that lost its history: the newest migration that it has, or none')
    .action((id, flags) => choose(async (context) => (await import('../commands/tenant-actions.js')).runRepair(context, id, flags)));
  addSelection(
    addRunOptions(tenant.command('verify')),
    'every tenant that is not deprovisioned; and what is on the servers and is nobody’s',
  )
    .description('compare the registry with reality, with --all in both directions, and say what mends each finding')
    .option('--fix', 'mend what can be mended safely, and say what was done')
    .option('--dry-run', 'with --fix: say what would be mended; mends nothing')
    .option('--skip-structure', 'leave out the comparison with a freshly migrated home')
    .option('--exit-code', 'exit 3 where something was found and is there still')
    .action((ids, flags) => choose(async (context) => (await import('../commands/verify.js')).runVerify(context, ids, flags)));
  tenant
    .command('unlock')
    .description('take the lock of a tenant away from whoever holds it; never needed after a crash')
    .argument('<id>')
    .action((id) => choose(async (context) => (await import('../commands/tenant-actions.js')).runUnlock(context, id)));
  tenant
    .command('protect')
    .description('make sure that nobody deprovisions this tenant')
    .argument('<id>')
    .action((id) => choose(async (context) => (await import('../commands/tenant-actions.js')).runProtect(context, id, true)));
  tenant
    .command('unprotect')
    .description('take that back')
    .argument('<id>')
    .action((id) => choose(async (context) => (await import('../commands/tenant-actions.js')).runProtect(context, id, false)));
}
