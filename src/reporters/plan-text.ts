import type { RunCommand, RunEvent } from '../events.js';
import type { PlannedCluster } from '../planned.js';
import { describeEvent } from './describe.js';
import { type Cell, Table } from './documents/table.js';
import { formatCount, formatDuration, formatNumber, formatSome } from './format.js';
import type { Palette } from './palette.js';
import { groupPlanned, type PlanGroup, type Planned } from './plan-groups.js';
import { sanitizeLine } from './sanitize.js';
import { describeCommand, describeStep } from './words.js';

type Complete = Extract<RunEvent, { type: 'run.planned' }>;

const MAX_GROUPS = 20;
const MAX_NAMES = 3;
const MAX_MIGRATIONS = 12;
const MAX_CLUSTERS = 20;

/** Gathers the plans of a dry run: tenants with the same one are counted together, so a fleet needs a few lines. */
export class PlanText {
  private readonly groups = new Map<string, PlanGroup>();
  private tenants = 0;
  private whole: Complete | null = null;

  /** The lines of one tenant, where each is to have its own. */
  add(plan: Planned, command: RunCommand, isVerbose: boolean): readonly string[] {
    this.tenants += 1;
    const key = JSON.stringify([plan.from, plan.to, plan.steps, plan.migrations, plan.driver]);
    const group = this.groups.get(key);
    if (group === undefined) {
      const { from, to, migrations, steps, driver, tenant, name, cluster, backup = null, restored = null } = plan;
      this.groups.set(key, {
        from,
        to,
        migrations,
        steps,
        driver,
        tenants: 1,
        names: [tenant],
        clusters: new Map(),
        home: { name, cluster },
        backup,
        restored,
      });
    } else {
      group.tenants += 1;
      group.home = null;
      group.backup = null;
      group.restored = null;
      if (group.names.length < MAX_NAMES) group.names.push(plan.tenant);
    }
    return isVerbose ? [sanitizeLine(describeEvent(plan, command))] : [];
  }

  /** The plan as a whole, which knows also those that were only counted. */
  complete(event: Complete): void {
    this.whole = event;
  }

  print(command: RunCommand, upToDate: number, palette: Palette): readonly string[] {
    const { verb, nothing } = describeCommand(command);
    const rest = upToDate === 0 ? '' : `, ${formatNumber(upToDate)} ${nothing}`;
    const all = this.whole === null ? [...this.groups.values()] : groupPlanned(this.whole.groups, [...this.groups.values()]);
    const tenants = all.reduce((total, group) => total + group.tenants, 0);
    const saved =
      this.whole?.saved == null ? [] : ['', `${palette.green('✔')} saved as ${sanitizeLine(this.whole.saved)}: carry it out with --plan`];
    if (tenants === 0) return [`${palette.green('✔')} nothing to ${verb}${rest}; nothing was written`, ...saved];
    const groups = all.sort((a, b) => b.tenants - a.tenants);
    const lines = groups.slice(0, MAX_GROUPS).flatMap((group) => ['', ...printGroup(group, command, palette)]);
    if (groups.length > MAX_GROUPS) lines.push('', `and ${formatNumber(groups.length - MAX_GROUPS)} more plans: see them all with --json`);
    return [
      `${palette.bold(`would ${verb} ${formatCount(tenants, 'tenant')}`)}${rest}; nothing was written`,
      ...(this.whole === null ? [] : printVersionCounts(this.whole, nothing, palette)),
      ...lines,
      ...(this.whole === null ? [] : printTime(this.whole, palette)),
      ...saved,
    ];
  }
}

function printGroup(
  { names, tenants, home, driver, clusters, backup, restored, ...plan }: PlanGroup,
  command: RunCommand,
  palette: Palette,
): readonly string[] {
  const who = names.length === 0 ? formatCount(tenants, 'tenant') : formatSome(names.map(sanitizeLine), tenants, MAX_NAMES);
  const lines = [`${palette.bold(who)}  ${printVersions(plan)}`];
  if (home !== null)
    lines.push(
      palette.dim(`  ${driver === 'postgres-schema' ? 'schema' : 'database'} ${sanitizeLine(home.name)} on ${sanitizeLine(home.cluster)}`),
    );
  if (clusters.size > 1) {
    const each = [...clusters].sort((a, b) => b[1] - a[1]).map(([cluster, count]) => `${formatNumber(count)} on ${sanitizeLine(cluster)}`);
    lines.push(palette.dim(`  ${formatSome(each, each.length, MAX_CLUSTERS)}`));
  }
  // Where migrating is all there is to do, the list of migrations says it.
  if (command !== 'migrate' && command !== 'rollback' && plan.steps.length > 0) lines.push(`  ${plan.steps.map(describeStep).join(' → ')}`);
  if (backup !== null) lines.push(palette.dim(`  backup to ${sanitizeLine(backup.directory)}, by ${sanitizeLine(backup.tool)}`));
  if (restored !== null)
    lines.push(
      palette.dim(`  of backup ${sanitizeLine(restored.backup)}, made ${sanitizeLine(restored.at)}: ${sanitizeLine(restored.path)}`),
    );
  for (const name of shorten(plan.migrations)) lines.push(`  ${name}`);
  return lines;
}

function printVersions({ from, to, migrations }: Pick<PlanGroup, 'from' | 'to' | 'migrations'>): string {
  if (from === to) return to === null ? '' : `at ${sanitizeLine(to)}`;
  return `${sanitizeLine(from ?? 'nothing')} → ${sanitizeLine(to ?? 'nothing')}, ${formatCount(migrations.length, 'migration')}`;
}

/** How many are where, unless all are at the same place. */
function printVersionCounts({ versions }: Complete, nothing: string, palette: Palette): readonly string[] {
  if (versions.length < 2) return [];
  const table = new Table([]);
  const rows = versions
    .slice(0, MAX_GROUPS)
    .map(({ schemaVersion, tenants, upToDate }): readonly Cell[] => [
      { text: `  ${schemaVersion ?? 'nothing'}` },
      { text: formatNumber(tenants), isNumber: true },
      { text: upToDate === 0 ? '' : upToDate === tenants ? nothing : `${formatNumber(upToDate)} ${nothing}`, paint: palette.dim },
    ]);
  const rest = versions.length - rows.length;
  return ['', ...table.print(rows), ...(rest > 0 ? [`  and ${formatNumber(rest)} more versions`] : [])];
}

/** How long it would take; of several clusters, each. */
function printTime({ clusters, estimate }: Complete, palette: Palette): readonly string[] {
  if (estimate === null) return ['', palette.dim('no earlier run tells how long it would take')];
  const { ms, sampled, runs } = estimate;
  const basis = `${formatCount(sampled, 'tenant')} of ${runs.length === 1 ? `run ${sanitizeLine(runs[0] ?? '')}` : `the last ${runs.length} runs`}`;
  const lines = ['', `about ${palette.bold(formatDuration(ms))}, going by ${basis}`];
  if (clusters.length < 2) return lines;
  const rows = clusters.slice(0, MAX_CLUSTERS).map((cluster) => `  ${printCluster(cluster)}`);
  const rest = clusters.length - rows.length;
  return [...lines, ...rows, ...(rest > 0 ? [`  and ${rest} more clusters`] : [])];
}

function printCluster({ cluster, tenants, cap, tenantMs, estimateMs }: PlannedCluster): string {
  const each = tenantMs === null ? '' : `, ${formatDuration(tenantMs)} each`;
  const time = estimateMs === null ? '' : `: about ${formatDuration(estimateMs)}`;
  return `${sanitizeLine(cluster)}${time} (${formatCount(tenants, 'tenant')}, ${cap} at once${each})`;
}

function shorten(migrations: readonly string[]): readonly string[] {
  const names = migrations.map(sanitizeLine);
  if (names.length <= MAX_MIGRATIONS) return names;
  const tail = 2;
  const head = MAX_MIGRATIONS - tail - 1;
  return [...names.slice(0, head), `… ${formatNumber(names.length - head - tail)} more …`, ...names.slice(-tail)];
}
