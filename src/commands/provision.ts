import type { ExitCode } from '../errors/define.js';
import { parseFailureBudget } from '../fleet/failure-budget.js';
import type { CommandContext } from './context.js';
import { readIds } from './read-ids.js';
import { parseLabels } from './selection-flags.js';
import { type RunFlags, withRun } from './with-tenancy.js';

export interface ProvisionFlags extends RunFlags {
  readonly label?: readonly string[];
  readonly maxFailures?: string;
  readonly dryRun?: boolean;
}

export async function runProvision(context: CommandContext, named: readonly string[], flags: ProvisionFlags): Promise<ExitCode> {
  const labels = parseLabels(flags.label ?? []);
  const maxFailures = flags.maxFailures === undefined ? null : parseFailureBudget(flags.maxFailures);
  const ids = await readIds(context, named);
  return withRun(context, 'tenant provision', flags, (tenancy) =>
    tenancy.provision(ids, { labels, maxFailures, dryRun: flags.dryRun ?? false, signals: context.takeSignals() }),
  );
}
