import type { RunCommand, RunEvent } from '../events.js';
import { describeCommand, describeStep } from './describe.js';
import { formatCount, formatNumber, formatSome } from './format.js';
import type { Palette } from './palette.js';
import { sanitizeLine } from './sanitize.js';

type Planned = Extract<RunEvent, { type: 'tenant.planned' }>;

interface PlanGroup {
  readonly plan: Planned;
  tenants: number;
  /** The first few. */
  readonly names: string[];
}

const MAX_GROUPS = 20;
const MAX_NAMES = 3;
const MAX_MIGRATIONS = 12;

/** Gathers the plans of a dry run: tenants with the same one are counted together, so a fleet needs a few lines. */
export class PlanText {
  private readonly groups = new Map<string, PlanGroup>();
  private tenants = 0;

  add(plan: Planned): void {
    this.tenants += 1;
    const key = JSON.stringify([plan.from, plan.to, plan.steps, plan.migrations, plan.driver]);
    const group = this.groups.get(key);
    if (group === undefined) this.groups.set(key, { plan, tenants: 1, names: [plan.tenant] });
    else {
      group.tenants += 1;
      if (group.names.length < MAX_NAMES) group.names.push(plan.tenant);
    }
  }

  print(command: RunCommand, upToDate: number, palette: Palette): readonly string[] {
    const { verb, nothing } = describeCommand(command);
    const rest = upToDate === 0 ? '' : `, ${formatNumber(upToDate)} ${nothing}`;
    if (this.tenants === 0) return [`${palette.green('✔')} nothing to ${verb}${rest}; nothing was written`];
    const groups = [...this.groups.values()].sort((a, b) => b.tenants - a.tenants);
    const lines = groups.slice(0, MAX_GROUPS).flatMap((group) => ['', ...printGroup(group, command, palette)]);
    if (groups.length > MAX_GROUPS) lines.push('', `and ${formatNumber(groups.length - MAX_GROUPS)} more plans: see them all with --json`);
    return [`${palette.bold(`would ${verb} ${formatCount(this.tenants, 'tenant')}`)}${rest}; nothing was written`, ...lines];
  }
}

function printGroup({ plan, tenants, names }: PlanGroup, command: RunCommand, palette: Palette): readonly string[] {
  const lines = [`${palette.bold(formatSome(names.map(sanitizeLine), tenants, MAX_NAMES))}  ${printVersions(plan)}`];
  if (tenants === 1)
    lines.push(
      palette.dim(
        `  ${plan.driver === 'postgres-schema' ? 'schema' : 'database'} ${sanitizeLine(plan.name)} on ${sanitizeLine(plan.cluster)}`,
      ),
    );
  // Where migrating is all there is to do, the list of migrations says it.
  if (command !== 'migrate' && command !== 'rollback' && plan.steps.length > 0) lines.push(`  ${plan.steps.map(describeStep).join(' → ')}`);
  for (const name of shorten(plan.migrations)) lines.push(`  ${name}`);
  return lines;
}

function printVersions({ from, to, migrations }: Planned): string {
  if (from === to) return to === null ? '' : `at ${sanitizeLine(to)}`;
  return `${sanitizeLine(from ?? 'nothing')} → ${sanitizeLine(to ?? 'nothing')}, ${formatCount(migrations.length, 'migration')}`;
}

function shorten(migrations: readonly string[]): readonly string[] {
  const names = migrations.map(sanitizeLine);
  if (names.length <= MAX_MIGRATIONS) return names;
  const tail = 2;
  const head = MAX_MIGRATIONS - tail - 1;
  return [...names.slice(0, head), `… ${formatNumber(names.length - head - tail)} more …`, ...names.slice(-tail)];
}
