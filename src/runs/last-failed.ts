import type { RunCommand } from '../events.js';
import { FAILED_OUTCOMES } from '../fleet/tally.js';
import type { Registry, Run, TenantFilter } from '../registry/registry.js';
import { formatShard, type Shard } from '../util/shard.js';
import { readShardOf } from './shard-of-run.js';

const PAGE = 50;
/** Among so many more the other shards of a run are looked for. */
const SIBLINGS_AMONG = 500;

/**
 * The newest run of a command that is over and in which a tenant failed. Where that was a shard, with the newest such run of each other
 * shard that had the same target: together they are one run. Of `shard`, only what was that shard, or no shard.
 *
 * That a later run of the same shard failed nobody takes nothing away: it may have been over a part of it. Who has been mended since has
 * nothing to do.
 */
export async function findLastFailed(registry: Registry, command: RunCommand, shard: Shard | undefined): Promise<readonly Run[]> {
  const found = new Map<string, Run>();
  let last: Run | null = null;
  let looked = 0;
  for await (const run of readRuns(registry, command)) {
    const part = readShardOf(run).shard;
    const isOther = shard !== undefined && part?.of === shard.of && part.index !== shard.index;
    if (!isOther && (await hasFailed(registry, run))) {
      if (last === null && (part === undefined || shard !== undefined)) return [run];
      last ??= run;
      const isSibling = part !== undefined && part.of === readShardOf(last).shard?.of && run.target === last.target;
      if (isSibling && !found.has(formatShard(part))) found.set(formatShard(part), run);
    }
    if (last !== null) looked += 1;
    if (looked > SIBLINGS_AMONG || found.size === readShardOf(last ?? run).shard?.of) break;
  }
  return [...found.values()];
}

/** Of what a filter selects, those that failed in these runs; nobody without one. */
export function narrowToFailed(filter: TenantFilter, runIds: readonly string[]): TenantFilter {
  return runIds.length === 0 ? { ...filter, ids: [] } : { ...filter, ofRun: { runId: runIds, outcomes: FAILED_OUTCOMES } };
}

async function* readRuns(registry: Registry, command: RunCommand): AsyncGenerator<Run> {
  for (let before: string | null = null; ; ) {
    const page: readonly Run[] = await registry.listRuns({ before, limit: PAGE, command });
    yield* page;
    before = page.at(-1)?.id ?? null;
    if (before === null || page.length < PAGE) return;
  }
}

/** One that was killed left no counts, only the outcomes of its tenants. One that goes on hasn't said its last. */
async function hasFailed(registry: Registry, { id, status, counts }: Run): Promise<boolean> {
  if (status === 'running' || status === 'paused') return false;
  const known = counts ?? (await registry.countOutcomes(id));
  return FAILED_OUTCOMES.some((outcome) => known[outcome] > 0);
}
