import { describe, expect, it } from 'vitest';
import type { Slot } from '../../src/executors/slot.js';
import { isAnyFree, isAnyTaken, type OpenCluster, type PlacesOfRun, sendOnPlaces } from '../../src/runs/distributed/places.js';

const runId = 'r_1';
const at = (place: number, cluster: string, number: number, hop = 0): Slot => ({ runId, cluster, number, place, hop });
const held = (slot: Slot): PlacesOfRun['slots'][number] => ({ slot, isOver: false });
const over = (slot: Slot): PlacesOfRun['slots'][number] => ({ slot, isOver: true });
const run = (places: number, ...slots: PlacesOfRun['slots']): PlacesOfRun => ({ runId, places, slots });
const open = (cluster: string, tenants: number, cap: number): OpenCluster => ({ cluster, tenants, cap });

describe('the places of a run', () => {
  it('go on where the most tenants are left for each place, with the first number that is free', () => {
    const slots = [held(at(0, 'a', 1)), over(at(1, 'b', 0)), over(at(2, 'b', 1))];
    expect(sendOnPlaces(run(3, ...slots), [open('a', 100, 8), open('c', 60, 8)])).toEqual([at(1, 'c', 0, 1), at(2, 'a', 0, 1)]);
  });

  it('keep to the cap of a cluster, and to as many as it has tenants left', () => {
    const slots = [held(at(0, 'a', 0)), over(at(1, 'b', 0)), over(at(2, 'b', 1)), over(at(3, 'b', 2))];
    expect(sendOnPlaces(run(4, ...slots), [open('a', 100, 2), open('c', 1, 8)])).toEqual([at(1, 'a', 1, 1), at(2, 'c', 0, 1)]);
    expect(sendOnPlaces(run(4, ...slots), [open('a', 1, 2)])).toEqual([]);
  });

  it('are where their newest slot is, and are sent on once', () => {
    const slots = [over(at(0, 'a', 0)), held(at(0, 'b', 0, 1)), over(at(1, 'a', 1))];
    expect(isAnyTaken(run(2, ...slots))).toBe(true);
    expect(sendOnPlaces(run(2, ...slots), [open('b', 9, 9)])).toEqual([at(1, 'b', 1, 1)]);
  });

  it('are offered where whoever began the run died before', () => {
    expect(isAnyTaken(run(2))).toBe(false);
    expect(isAnyFree(run(2, held(at(0, 'a', 0))))).toBe(true);
    expect(sendOnPlaces(run(2, held(at(0, 'a', 0))), [open('a', 9, 9)])).toEqual([at(1, 'a', 1)]);
  });

  it('stay away from clusters that are not known here, and stay where none has anybody left', () => {
    expect(sendOnPlaces(run(1, over(at(0, 'a', 0))), [])).toEqual([]);
    expect(isAnyFree(run(1, held(at(0, 'elsewhere', 3))))).toBe(false);
  });
});
