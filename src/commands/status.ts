import { EXIT, type ExitCode } from '../errors/define.js';
import { createRunMigrator } from '../lifecycle/migrator.js';
import { MIGRATABLE } from '../lifecycle/transitions.js';
import { toStatusDocument } from '../reporters/documents/status-document.js';
import { printStatus } from '../reporters/documents/status-text.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import type { CommandContext } from './context.js';
import { withTenancy } from './with-tenancy.js';

/** How many laggards and failures are named; the counts are of all. */
const NAMED = 10;

export async function runStatus(context: CommandContext, flags: { readonly exitCode?: boolean }): Promise<ExitCode> {
  return withTenancy(context, 'status', async (tenancy) => {
    const registry = await tenancy.workspace.registry();
    const migrator = await createRunMigrator(tenancy.config, { direction: 'up', to: null, allowOutOfOrder: false, forceVerify: false });
    const target = migrator.targetDigest === null ? null : { schemaVersion: migrator.target, migrationsHash: migrator.targetDigest };
    const [summaries, behind, failed] = await Promise.all([
      registry.summarize({}),
      target ? registry.listTenants({ statuses: MIGRATABLE, notAt: target }, { after: null, limit: NAMED }) : [],
      registry.listTenants({ hasError: true }, { after: null, limit: NAMED }),
    ]);
    const document = toStatusDocument({
      registry: registry.where,
      summaries,
      target,
      migrations: migrator.declared.map(({ name }) => name),
      laggards: behind.filter(({ lastError }) => lastError === null),
      failures: failed,
    });
    await writeDocument(document, printStatus, { ...context, ...context.globals });
    const isPending =
      document.behind > 0 || document.withError > 0 || document.versions.some(({ state }) => state === 'drifted' || state === 'behind');
    return flags.exitCode && isPending ? EXIT.pending : EXIT.ok;
  });
}
