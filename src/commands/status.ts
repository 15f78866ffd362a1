import { createHash } from 'node:crypto';
import type { ResolvedConfig } from '../config/types.js';
import { EXIT, type ExitCode } from '../errors/define.js';
import type { Registry, TenantSummary } from '../registry/registry.js';
import { type StatusFacts, type StatusGoal, toStatusDocument } from '../reporters/documents/status-document.js';
import { printStatus } from '../reporters/documents/status-text.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import { readTenants } from '../runs/read-tenants.js';
import { type DriverName, IN_USE, type Tenant } from '../tenant.js';
import type { CommandContext } from './context.js';
import { withTenancy } from './with-tenancy.js';

/** How many laggards and failures are named; the counts are of all. */
const NAMED = 10;

export async function runStatus(context: CommandContext, flags: { readonly exitCode?: boolean }): Promise<ExitCode> {
  return withTenancy(context, 'status', async (tenancy) => {
    // The project's migrations are read while the registry's server lets us in and counts.
    let reading: Promise<StatusGoals> | undefined;
    const read = (): Promise<StatusGoals> => {
      reading ??= readGoals(tenancy.config);
      return reading;
    };
    // What comes of it is told below, unless the registry can't be opened.
    const registry = await tenancy.workspace.registry({ onAsked: () => void read().catch(() => undefined) });
    const summarizing = registry.summarize({});
    summarizing.catch(() => undefined);
    const goals = await read();
    // One after another: to ask at once takes a second connection, and to make that takes more round trips than are saved.
    // And tenants are only asked for where there are some to be named.
    const summaries = await summarizing;
    const laggards = summaries.some((summary) => hasLaggards(summary, goals)) ? await findLaggards(registry, goals) : [];
    const failures = summaries.some(({ withError }) => withError > 0)
      ? await registry.listTenants({ hasError: true }, { after: null, limit: NAMED })
      : [];
    const { target, goal } = goals;
    const document = toStatusDocument({ registry: registry.where, summaries, target, goal, laggards, failures });
    await writeDocument(document, printStatus, { ...context, ...context.globals });
    const isPending =
      document.behind > 0 || document.withError > 0 || document.versions.some(({ state }) => state === 'drifted' || state === 'behind');
    return flags.exitCode && isPending ? EXIT.pending : EXIT.ok;
  });
}

/** Where tenants are to be. */
interface StatusGoals extends Pick<StatusFacts, 'target' | 'goal'> {
  /** Where all of them are to be; null where each driver has a target of its own, or none is known without asking them. */
  readonly common: StatusGoal['target'];
}

async function readGoals(config: ResolvedConfig): Promise<StatusGoals> {
  const { createRunMigrator, targetOf } = await import('../lifecycle/migrator.js');
  await hear();
  // What hashes the migrations takes Node as long to load as it takes them to be read.
  void createHash('sha256');
  await hear();
  const migrator = await createRunMigrator(config, { direction: 'up', to: null, allowOutOfOrder: false, forceVerify: false });
  const goal = (driver: DriverName): StatusGoal => {
    const mine = migrator.forDriver(driver);
    return { target: targetOf(mine), migrations: mine.declared.map(({ name }) => name) };
  };
  return { target: migrator.target, common: targetOf(migrator), goal };
}

/** What the registry has answered in the meantime is heard, and the next question asked. */
const hear = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Whether some of these are behind and didn't fail. */
function hasLaggards(summary: TenantSummary, goals: StatusGoals): boolean {
  return IN_USE.includes(summary.status) && summary.withError < summary.tenants && !isThere(summary, goals);
}

function isThere(at: Pick<Tenant, 'driver' | 'schemaVersion' | 'migrationsHash'>, { goal }: StatusGoals): boolean {
  const { target } = goal(at.driver);
  return target === null || (at.schemaVersion === target.schemaVersion && at.migrationsHash === target.migrationsHash);
}

/** The first few that are behind and didn't fail. Where each driver has a target of its own the registry can't pick them out, so they are looked for. */
async function findLaggards(registry: Registry, goals: StatusGoals): Promise<readonly Tenant[]> {
  if (goals.common !== null) {
    return registry.listTenants({ statuses: IN_USE, notAt: goals.common, hasError: false }, { after: null, limit: NAMED });
  }
  const laggards: Tenant[] = [];
  for await (const tenant of readTenants(registry, { statuses: IN_USE, hasError: false })) {
    if (!isThere(tenant, goals)) laggards.push(tenant);
    if (laggards.length === NAMED) break;
  }
  return laggards;
}
