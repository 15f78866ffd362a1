import type { RunEvent, StepName } from '../events.js';
import type { PlannedGroup } from '../planned.js';
import type { DriverName } from '../tenant.js';

export type Planned = Extract<RunEvent, { type: 'tenant.planned' }>;

/** Tenants of which one sentence tells what would be done. */
export interface PlanGroup {
  readonly from: string | null;
  readonly to: string | null;
  readonly migrations: readonly string[];
  readonly steps: readonly StepName[];
  readonly driver: DriverName;
  tenants: number;
  /** The first few; none where they were only counted. */
  readonly names: string[];
  /** How many on each, where that is known. */
  readonly clusters: Map<string, number>;
  /** What the only one would begin with. */
  backup: NonNullable<Planned['backup']> | null;
  /** What the only one would be made of. */
  restored: NonNullable<Planned['restored']> | null;
  /** Where the only one lives. */
  home: { readonly name: string; readonly cluster: string } | null;
}

/** A whole plan's groups for people: the clusters of one way together, and a single tenant with its home. */
export function groupPlanned(planned: readonly PlannedGroup[], told: readonly PlanGroup[]): PlanGroup[] {
  const groups = new Map<string, PlanGroup>();
  for (const { from, to, migrations, driver, cluster, tenants, sample } of planned) {
    const key = JSON.stringify([from, to, migrations, driver]);
    const group: PlanGroup = groups.get(key) ?? {
      from,
      to,
      migrations,
      steps: [],
      driver,
      tenants: 0,
      names: [],
      clusters: new Map(),
      home: null,
      backup: null,
      restored: null,
    };
    group.tenants += tenants;
    group.names.push(...sample);
    group.clusters.set(cluster, (group.clusters.get(cluster) ?? 0) + tenants);
    groups.set(key, group);
  }
  for (const group of groups.values()) {
    const [name] = group.names;
    if (group.tenants === 1) group.home = told.find(({ names }) => names[0] === name)?.home ?? null;
  }
  return [...groups.values()];
}
