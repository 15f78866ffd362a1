import type { RunContext } from '../../lifecycle/run-context.js';
import type { OutcomeCounts } from '../../outcome.js';
import { wallClock } from '../../util/clock.js';
import type { FleetPlan } from '../lanes.js';
import type { MigrateOptions } from '../migrate-run.js';
import { describeBasis } from './describe-basis.js';
import type { PlanBook } from './plan-book.js';
import { digestOf, type SavedGroup, type SavedPlan } from './saved-plan.js';

export interface ComposeInput {
  readonly book: PlanBook;
  readonly plan: FleetPlan;
  readonly options: Pick<MigrateOptions, 'to' | 'allowOutOfOrder'>;
  readonly counts: OutcomeCounts;
}

/** The plan of a dry run as a file keeps it. */
export async function composePlan(run: RunContext, { book, plan, options, counts }: ComposeInput): Promise<SavedPlan> {
  return {
    v: 1,
    type: 'tenancy.plan',
    command: run.command === 'rollback' ? 'rollback' : 'migrate',
    createdAt: wallClock().toISOString(),
    to: options.to ?? null,
    allowOutOfOrder: options.allowOutOfOrder ?? false,
    target: run.migrator.target,
    selection: { ...plan.filter },
    selected: plan.selected,
    upToDate: counts['up-to-date'],
    failed: counts.failed,
    ...(await describeBasis(run, book.groups)),
    groups: book.groups.map(({ ids, tenants: count, sample: _named, ...group }): SavedGroup => {
      const tenants = Object.fromEntries(ids);
      const { cluster, driver, status, schemaVersion, migrationsHash, knownBy, from, to, migrations } = group;
      const recorded = { cluster, driver, status, schemaVersion, migrationsHash, knownBy };
      return { ...recorded, from, to, migrations: [...migrations], count, digest: digestOf(tenants), tenants };
    }),
  };
}
