import { TenancyError } from '../errors.js';
import type { Registry, Run } from '../registry/registry.js';
import { findClosest } from '../util/edit-distance.js';

/** Among so many of the newest one is looked for that may have been meant. */
const SUGGESTED_AMONG = 200;

/** `last` is the newest run. @throws TenancyError `TENANCY_RUN_NOT_FOUND`. */
export async function findRun(registry: Registry, id: string): Promise<Run> {
  const run = id === 'last' ? ((await registry.listRuns({ before: null, limit: 1 }))[0] ?? null) : await registry.findRun(id);
  if (run) return run;
  const known = await registry.listRuns({ before: null, limit: SUGGESTED_AMONG });
  const names = known.length === 0 ? [] : ['last', ...known.map((each) => each.id)];
  const suggestion = findClosest(id, names) ?? null;
  throw new TenancyError('TENANCY_RUN_NOT_FOUND', { run: id, suggestion });
}
