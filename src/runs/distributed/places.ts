import type { Slot } from '../../executors/slot.js';
import type { LeftTenants } from '../../registry/registry.js';

/** A cluster that has tenants left, and how many of them may be in flight at once. */
export interface OpenCluster extends Pick<LeftTenants, 'cluster' | 'tenants'> {
  readonly cap: number;
}

export interface PlacesOfRun {
  readonly runId: string;
  /** How many it has. */
  readonly places: number;
  /** Every slot that there is or was. */
  readonly slots: readonly { readonly slot: Slot; readonly isOver: boolean }[];
}

/** Whether somebody has one of the places, or will. */
export function isAnyTaken(run: PlacesOfRun): boolean {
  return listPlaces(run).some(({ isOver }) => !isOver);
}

export function isAnyFree(run: PlacesOfRun): boolean {
  return listPlaces(run).some(({ isOver }) => isOver);
}

/**
 * Where those places of a run go that nobody has any more: each to where the most tenants are left for each place that is there, within the caps.
 * Reckoned from the same facts by several, it comes to the same.
 */
export function sendOnPlaces(run: PlacesOfRun, open: readonly OpenCluster[]): readonly Slot[] {
  const places = listPlaces(run);
  const taken = new Map<string, Set<number>>(open.map(({ cluster }) => [cluster, new Set()]));
  for (const { slot, isOver } of places) if (slot !== null && !isOver) taken.get(slot.cluster)?.add(slot.number);
  const sent: Slot[] = [];
  for (const { slot, place, isOver } of places) {
    if (!isOver) continue;
    const share = ({ cluster, tenants }: OpenCluster): number => tenants / ((taken.get(cluster)?.size ?? 0) + 1);
    const [to] = open
      .filter(({ cluster, tenants, cap }) => (taken.get(cluster)?.size ?? 0) < Math.min(tenants, cap))
      .sort((a, b) => share(b) - share(a));
    const numbers = to && taken.get(to.cluster);
    if (!numbers) break;
    const number = Array.from({ length: to.cap }, (_, at) => at).find((at) => !numbers.has(at)) ?? 0;
    numbers.add(number);
    sent.push({ runId: run.runId, cluster: to.cluster, number, place, hop: slot === null ? 0 : slot.hop + 1 });
  }
  return sent;
}

/** The newest slot of each; null where it was never offered, since whoever began the run died before. */
function listPlaces({
  places,
  slots,
}: PlacesOfRun): readonly { readonly place: number; readonly slot: Slot | null; readonly isOver: boolean }[] {
  const newest = new Map<number, { readonly slot: Slot; readonly isOver: boolean }>();
  for (const each of slots) {
    const known = newest.get(each.slot.place);
    if (known === undefined || known.slot.hop < each.slot.hop) newest.set(each.slot.place, each);
  }
  return Array.from({ length: places }, (_, place) => ({ place, ...(newest.get(place) ?? { slot: null, isOver: true }) }));
}
