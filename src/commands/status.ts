import { EXIT, type ExitCode } from '../errors/define.js';
import { createRunMigrator, type RunMigrator, targetOf } from '../lifecycle/migrator.js';
import { MIGRATABLE } from '../lifecycle/transitions.js';
import type { Registry } from '../registry/registry.js';
import { type StatusGoal, toStatusDocument } from '../reporters/documents/status-document.js';
import { printStatus } from '../reporters/documents/status-text.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import { readTenants } from '../runs/read-tenants.js';
import type { DriverName, Tenant } from '../tenant.js';
import type { CommandContext } from './context.js';
import { withTenancy } from './with-tenancy.js';

/** How many laggards and failures are named; the counts are of all. */
const NAMED = 10;

export async function runStatus(context: CommandContext, flags: { readonly exitCode?: boolean }): Promise<ExitCode> {
  return withTenancy(context, 'status', async (tenancy) => {
    // The files are read while the registry's server answers.
    const [registry, migrator] = await Promise.all([
      tenancy.workspace.registry(),
      createRunMigrator(tenancy.config, { direction: 'up', to: null, allowOutOfOrder: false, forceVerify: false }),
    ]);
    const goal = (driver: DriverName): StatusGoal => {
      const mine = migrator.forDriver(driver);
      return { target: targetOf(mine), migrations: mine.declared.map(({ name }) => name) };
    };
    // One after another: to ask at once takes a second connection, and to make that takes more round trips than are saved.
    const summaries = await registry.summarize({});
    const laggards = await findLaggards(registry, migrator);
    const failures = await registry.listTenants({ hasError: true }, { after: null, limit: NAMED });
    const document = toStatusDocument({
      registry: registry.where,
      summaries,
      target: migrator.target,
      goal,
      laggards,
      failures,
    });
    await writeDocument(document, printStatus, { ...context, ...context.globals });
    const isPending =
      document.behind > 0 || document.withError > 0 || document.versions.some(({ state }) => state === 'drifted' || state === 'behind');
    return flags.exitCode && isPending ? EXIT.pending : EXIT.ok;
  });
}

/** The first few that are behind and didn't fail. Where each driver has a target of its own the registry can't pick them out, so they are looked for. */
async function findLaggards(registry: Registry, migrator: RunMigrator): Promise<readonly Tenant[]> {
  const common = targetOf(migrator);
  if (common !== null) {
    const behind = await registry.listTenants({ statuses: MIGRATABLE, notAt: common }, { after: null, limit: NAMED });
    return behind.filter(({ lastError }) => lastError === null);
  }
  const laggards: Tenant[] = [];
  for await (const tenant of readTenants(registry, { statuses: MIGRATABLE, hasError: false })) {
    const target = targetOf(migrator.forDriver(tenant.driver));
    const isThere = target === null || (tenant.schemaVersion === target.schemaVersion && tenant.migrationsHash === target.migrationsHash);
    if (!isThere) laggards.push(tenant);
    if (laggards.length === NAMED) break;
  }
  return laggards;
}
