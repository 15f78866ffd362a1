import pLimit from 'p-limit';
import { LEASE_MS } from '../../lifecycle/leases.js';
import { keepPreparedHomes, preparedTarget, prepareHome } from '../../lifecycle/prepared-home.js';
import { findTemplate } from '../../lifecycle/templates.js';
import { dropLeftReferences } from '../../lifecycle/verify/reference-homes.js';
import type { NewPreparedHome, PreparedHome } from '../../registry/registry.js';
import { NOBODY } from '../../tenant.js';
import { createOperationId, createOwnerId } from '../../util/names.js';
import { redact } from '../../util/redact.js';
import type { RunSignals } from '../execute-run.js';
import type { Workspace } from '../workspace.js';
import { describePool, type OpenPool, type PoolSelection, withPools } from './open-pools.js';
import type { PoolFilling } from './pool-report.js';
import { readPool, type SpareVerdict } from './read-pool.js';

export interface FillOptions extends PoolSelection {
  /** So many are to be ready. @default the size in the config */
  readonly count?: number | null;
  /**
   * Homes with migrations that there are none of here are left as they are: while a new version is rolled out, who fills again and again with the old one
   * would take from the pool what those of the new one have just put into it. @default false, they are brought to what is here, or dropped
   */
  readonly leavesUnknown?: boolean;
  readonly signals: RunSignals;
}

/** Mends what is broken, brings up to date what is stale, and makes what is missing, in each pool of the config. */
export async function fillPools(workspace: Workspace, options: FillOptions): Promise<readonly PoolFilling[]> {
  return withPools(workspace, options, (pool) => fillPool(pool, options.count ?? pool.size, options));
}

async function fillPool(pool: OpenPool, wanted: number, { signals, leavesUnknown = false }: FillOptions): Promise<PoolFilling> {
  const { run, driver, cluster, concurrency } = pool;
  const { registry } = run;
  const { migrationsHash } = pool.preparable;
  const owner = createOwnerId();
  const worker = createWorker(pool, owner, signals);
  const heart = keepPreparedHomes(registry, owner);
  const limit = pLimit(concurrency);
  const inTurn = (works: readonly (() => Promise<void>)[]): Promise<unknown> =>
    Promise.all(works.map((work) => limit(async () => (signals.drain.aborted ? undefined : work()))));
  try {
    await dropLeftReferences(run, cluster, driver, signals.abort);
    const { verdicts, strays } = await readPool(registry, driver, { cluster, migrationsHash });
    const mended = verdicts.filter(({ type, home }) => !leavesUnknown || type !== 'stale' || isKnown(home, pool));
    await inTurn(mended.map((verdict) => () => worker.mend(verdict)));
    await inTurn(
      strays.map(
        ({ name, operation }) =>
          () =>
            worker.dropStray(name, operation),
      ),
    );
    const entered = await enter(pool, owner, wanted);
    await inTurn(entered.map((home) => () => worker.make(home)));
    // Those that were not begun any more.
    if (signals.drain.aborted) for (const { id } of worker.unmade(entered)) await registry.forgetPreparedHome(id);
    const after = await readPool(registry, driver, { cluster, migrationsHash });
    return { ...describePool(pool, after), ...worker.tally() };
  } finally {
    heart.stop();
  }
}

function isKnown({ schemaVersion }: PreparedHome, { preparable }: OpenPool): boolean {
  return schemaVersion === null || preparable.steps.some(({ name }) => name === schemaVersion);
}

/**
 * Enters as many as are missing. Of several processes that fill at once each enters what it found missing, and then takes back what is too much:
 * all see the same order.
 */
async function enter({ run, cluster, driver }: OpenPool, owner: string, wanted: number): Promise<readonly NewPreparedHome[]> {
  const { registry, host } = run;
  const list = async (): Promise<readonly PreparedHome[]> =>
    (await registry.listPreparedHomes({ type: 'spare', cluster })).filter(
      (home) => home.driver === driver.name && (home.status === 'ready' || (home.status === 'making' && !home.isAbandoned)),
    );
  const missing = Math.max(0, wanted - (await list()).length);
  const homes = Array.from({ length: missing }, (): NewPreparedHome => {
    const id = createOperationId();
    return { id, type: 'spare', cluster, driver: driver.name, name: `tenancy_pool_${id}` };
  });
  await registry.enterPreparedHomes(homes, { owner, host, ttlMs: LEASE_MS });
  const kept = new Set((await list()).slice(0, wanted).map(({ id }) => id));
  for (const { id } of homes) if (!kept.has(id)) await registry.forgetPreparedHome(id);
  return homes.filter(({ id }) => kept.has(id));
}

interface Worker {
  make(home: NewPreparedHome): Promise<void>;
  mend(verdict: SpareVerdict): Promise<void>;
  dropStray(name: string, operation: string): Promise<void>;
  unmade(entered: readonly NewPreparedHome[]): readonly NewPreparedHome[];
  tally(): Pick<PoolFilling, 'made' | 'mended' | 'dropped' | 'failed'>;
}

function createWorker({ run, cluster, driver, preparable }: OpenPool, owner: string, { abort: signal }: RunSignals): Worker {
  const { registry } = run;
  const lease = { owner, host: run.host, ttlMs: LEASE_MS };
  const begun = new Set<string>();
  const failed: PoolFilling['failed'][number][] = [];
  let made = 0;
  let mended = 0;
  let dropped = 0;

  /** What fails for one is told at the end, and the others go on. Its entry stays, for the next fill. */
  const attempt = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'TENANCY_STEP_FAILED';
      failed.push({ name, code, message: redact(error instanceof Error ? error.message : String(error)) });
    }
  };

  const prepare = async (home: NewPreparedHome): Promise<void> => {
    const template = await findTemplate({ run, cluster, driver, signal });
    await prepareHome({ run, driver, signal }, preparedTarget(home, registry.id), preparable, template);
    const { schemaVersion, migrationsHash } = preparable;
    await registry.finishPreparedHome(home.id, { owner, schemaVersion, migrationsHash });
  };

  const drop = async (home: PreparedHome): Promise<void> => {
    await driver.drop(preparedTarget(home, registry.id), signal);
    await registry.forgetPreparedHome(home.id);
    dropped += 1;
  };

  return {
    make: (home) => {
      begun.add(home.id);
      return attempt(home.name, async () => {
        await prepare(home);
        made += 1;
      });
    },
    mend: async (verdict) => {
      const { home } = verdict;
      const isFinished = verdict.type === 'stale' || (verdict.type === 'broken' && verdict.mend === 'finish');
      if (!isFinished && verdict.type !== 'broken') return;
      await attempt(home.name, async () => {
        const from = [home.status];
        if (!isFinished) {
          const taken = await registry.takePreparedHome(home.id, { ...lease, from, to: 'dropping' });
          if (taken) await drop(taken);
          return;
        }
        const taken = await registry.takePreparedHome(home.id, { ...lease, from, to: 'making' });
        if (!taken) return;
        try {
          await prepare(taken);
          mended += 1;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof Error && 'code' in error && error.code === 'TENANCY_HISTORY_MOVED')) throw error;
          // Of migrations that are no more: nobody can use it.
          const dropping = await registry.takePreparedHome(home.id, { ...lease, from: ['making'], to: 'dropping' });
          if (dropping) await drop(dropping);
        }
      });
    },
    dropStray: (name, operation) =>
      attempt(name, async () => {
        await driver.drop({ name, marker: { tenant: NOBODY.spare, registry: registry.id, operation } }, signal);
        dropped += 1;
      }),
    unmade: (entered) => entered.filter(({ id }) => !begun.has(id)),
    tally: () => ({ made, mended, dropped, failed }),
  };
}
