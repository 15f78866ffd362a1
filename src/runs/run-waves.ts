import type { GateHook } from '../config/types.js';
import type { EmitRunEvent } from '../events.js';
import type { FailureBudget } from '../fleet/failure-budget.js';
import type { FleetLane } from '../fleet/run-fleet.js';
import { isFailure, Tally } from '../fleet/tally.js';
import { planWaves, positionOf, tolerateFailures, type Wave } from '../fleet/waves.js';
import type { TenantOutcome } from '../outcome.js';
import type { Tenant } from '../tenant.js';
import { sleep, untilAborted } from '../util/abort.js';
import { elapsedMs, monotonicMs } from '../util/clock.js';
import { redact } from '../util/redact.js';
import type { Share } from '../util/share.js';
import type { Draining } from './draining.js';

/** How a run goes through its tenants: how far each wave reaches, and what has to pass between two. */
export interface WaveSpec {
  /** Empty: all tenants at once, and no waves are spoken of. */
  readonly sizes: readonly Share[];
  readonly soakMs: number;
  readonly gate: GateHook | null;
}

export interface WaveLoop extends WaveSpec {
  readonly runId: string;
  /** Each can be gone through again. */
  readonly lanes: readonly FleetLane<Tenant>[];
  readonly maxFailures: FailureBudget | null;
  readonly draining: Draining;
  readonly emit: EmitRunEvent;
  /** Runs the tenants of these lanes, or passes over them once the run drains. `onOutcome` is told each before the next is started. */
  readonly runLanes: (lanes: readonly FleetLane<Tenant>[], onOutcome: (outcome: TenantOutcome) => void) => Promise<void>;
}

/**
 * Runs one wave after the other, for as long as each is let through: by its failures, then the soak, then the gate. What is left once one
 * isn't is passed over. Of a tenant nothing is kept but its position, while the waves are planned.
 */
export async function runWaves(loop: WaveLoop): Promise<void> {
  const { sizes, lanes, draining, runLanes } = loop;
  if (sizes.length === 0 || lanes.length === 0) return runLanes(lanes, () => undefined);
  const waves = planWaves(sizes, await readPositions(lanes, draining.signal));
  let reached = -1;
  for (const wave of waves) {
    if (draining.signal.aborted) break;
    const tally = await runWave(loop, wave);
    reached = wave.upTo;
    if (wave.number < wave.of) await letThrough(loop, wave, tally);
  }
  if (draining.signal.aborted && reached < 1) await runLanes(narrow(lanes, reached, 1), () => undefined);
}

async function runWave({ lanes, draining, emit, maxFailures, soakMs, runLanes }: WaveLoop, wave: Wave): Promise<Tally> {
  const { number, of, tenants } = wave;
  const startedMs = monotonicMs();
  const tally = new Tally();
  const tolerated = tolerateFailures(wave, maxFailures);
  draining.enter(number, of);
  emit({ type: 'wave.started', wave: number, waves: of, tenants });
  await runLanes(narrow(lanes, wave.after, wave.upTo), (outcome) => {
    tally.add(outcome);
    if (tolerated === null || tally.failures <= tolerated || !isFailure(outcome.outcome)) return;
    draining.drain('wave-failed', `${tally.failures} of ${tenants} failed`);
  });
  const isLast = number === of || draining.signal.aborted;
  emit({ type: 'wave.finished', wave: number, waves: of, counts: tally.counts, ms: elapsedMs(startedMs), soakMs: isLast ? 0 : soakMs });
  return tally;
}

/** The soak and the gate. Both end at once where the run is stopped meanwhile, also where the gate doesn't mind its signal. */
async function letThrough({ runId, draining, soakMs, gate }: WaveLoop, { number, of }: Wave, tally: Tally): Promise<void> {
  const { signal } = draining;
  if (signal.aborted) return;
  if (soakMs > 0) await sleep(soakMs, signal).catch(() => undefined);
  if (!gate || signal.aborted) return;
  const facts = { wave: number, waves: of, counts: tally.counts, failed: tally.failed, runId, signal };
  await untilAborted(() => gate(facts), signal).then(
    (answer) => {
      if (answer === false) draining.drain('gate', 'hooks.gate answered false');
    },
    // Where the run was stopped meanwhile that stays the reason.
    (error: unknown) => draining.drain('gate', redact(error instanceof Error ? error.message : String(error))),
  );
}

/** One pass over the tenants with work, page by page; eight bytes are kept for each. */
async function readPositions(lanes: readonly FleetLane<Tenant>[], signal: AbortSignal): Promise<Float64Array> {
  let positions = new Float64Array(1024);
  let count = 0;
  for (const lane of lanes) {
    for await (const { id } of lane.tenants) {
      if (signal.aborted) return positions.slice(0, count);
      if (count === positions.length) {
        const longer = new Float64Array(2 * count);
        longer.set(positions);
        positions = longer;
      }
      positions[count] = positionOf(id);
      count += 1;
    }
  }
  return positions.slice(0, count);
}

/** The same lanes, of the tenants of one wave only. */
function narrow(lanes: readonly FleetLane<Tenant>[], after: number, upTo: number): readonly FleetLane<Tenant>[] {
  const isIn = (tenant: Tenant): boolean => {
    const position = positionOf(tenant.id);
    return position > after && position <= upTo;
  };
  return lanes.map((lane) => ({ ...lane, tenants: keep(lane.tenants, isIn) }));
}

async function* keep(tenants: AsyncIterable<Tenant>, isIn: (tenant: Tenant) => boolean): AsyncGenerator<Tenant> {
  for await (const tenant of tenants) if (isIn(tenant)) yield tenant;
}
