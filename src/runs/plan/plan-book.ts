import type { MigrationOutline } from '../../lifecycle/migrator.js';
import type { PlannedGroup } from '../../planned.js';
import type { DriverName, TenantStatus } from '../../tenant.js';

/** Tenants that are recorded alike and of which the same is planned. */
export interface BookedGroup extends MigrationOutline {
  readonly cluster: string;
  readonly driver: DriverName;
  readonly status: TenantStatus;
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
  readonly knownBy: PlannedGroup['knownBy'];
  tenants: number;
  readonly sample: string[];
  /** Ids with their incarnations, where they are kept. */
  readonly ids: Map<string, number>;
}

export type Booked = Omit<BookedGroup, 'tenants' | 'sample' | 'ids'>;

const SAMPLE = 3;

/** Gathers what is planned: its size is that of the groups, unless the ids are to be kept for a file. */
export class PlanBook {
  readonly #groups = new Map<string, BookedGroup>();
  readonly #versions = new Map<string | null, { tenants: number; upToDate: number }>();
  readonly #keepsIds: boolean;

  constructor({ keepsIds }: { readonly keepsIds: boolean }) {
    this.#keepsIds = keepsIds;
  }

  /** `tenants` that were only counted. */
  addCount(booked: Booked, tenants: number): void {
    if (tenants === 0) return;
    this.#groupOf(booked).tenants += tenants;
    this.addVersion(booked.from, tenants, false);
  }

  add(booked: Booked, tenant: { readonly id: string; readonly incarnation: number }): void {
    const group = this.#groupOf(booked);
    group.tenants += 1;
    if (group.sample.length < SAMPLE) group.sample.push(tenant.id);
    if (this.#keepsIds) group.ids.set(tenant.id, tenant.incarnation);
    this.addVersion(booked.from, 1, false);
  }

  addVersion(schemaVersion: string | null, tenants: number, isDone: boolean): void {
    if (tenants === 0) return;
    const row = this.#versions.get(schemaVersion) ?? { tenants: 0, upToDate: 0 };
    row.tenants += tenants;
    if (isDone) row.upToDate += tenants;
    this.#versions.set(schemaVersion, row);
  }

  /** The most tenants first. */
  get groups(): readonly BookedGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.tenants - a.tenants);
  }

  get versions(): readonly { readonly schemaVersion: string | null; readonly tenants: number; readonly upToDate: number }[] {
    return [...this.#versions].map(([schemaVersion, row]) => ({ schemaVersion, ...row })).sort((a, b) => b.tenants - a.tenants);
  }

  #groupOf(booked: Booked): BookedGroup {
    const { cluster, driver, status, schemaVersion, migrationsHash, knownBy, from, to, migrations } = booked;
    const key = JSON.stringify([cluster, driver, status, schemaVersion, migrationsHash, knownBy, from, to, migrations]);
    const known = this.#groups.get(key);
    if (known) return known;
    const group = { ...booked, tenants: 0, sample: [], ids: new Map<string, number>() };
    this.#groups.set(key, group);
    return group;
  }
}

/** As events tell them: by history, cluster and driver; a suspended tenant goes the way of the others. */
export function toPlannedGroups(booked: readonly BookedGroup[]): readonly PlannedGroup[] {
  const groups = new Map<string, PlannedGroup>();
  for (const { cluster, driver, from, migrationsHash: hash, to, migrations, knownBy, tenants, sample } of booked) {
    const key = JSON.stringify([cluster, driver, from, hash, to, migrations, knownBy]);
    const known = groups.get(key);
    groups.set(key, {
      cluster,
      driver,
      from,
      hash,
      to,
      migrations,
      tenants: tenants + (known?.tenants ?? 0),
      sample: [...(known?.sample ?? []), ...sample].slice(0, SAMPLE),
      knownBy,
    });
  }
  return [...groups.values()].sort((a, b) => b.tenants - a.tenants);
}
