import type { RunCommand, RunEvent, StepName } from '../events.js';
import type { OutcomeCounts, TenantOutcome } from '../outcome.js';

type Started = Extract<RunEvent, { type: 'run.started' }>;

export interface InFlight {
  readonly tenant: string;
  step: StepName | null;
  readonly sinceMs: number;
  /** A line on the screen, kept as long as the tenant is in flight: the lowest that was free. */
  readonly slot: number;
}

/** The wave that a run is in, or has just finished. */
export interface WaveProgress {
  readonly wave: number;
  readonly waves: number;
  readonly tenants: number;
  /** When the soak after it ends; null while its tenants are worked on. */
  readonly soaksUntilMs: number | null;
}

const KEPT_FAILURES = 8;

/** What a run has come to so far, kept in a space that does not grow with the fleet. */
export class RunTally {
  started: Started | null = null;
  draining: Extract<RunEvent, { type: 'run.draining' }> | null = null;
  isPaused = false;
  /** Why, by the cluster that its throttle holds. */
  readonly held = new Map<string, string>();
  /** Null where the run doesn't go in waves. */
  wave: WaveProgress | null = null;
  readonly counts: Record<keyof OutcomeCounts, number> = {
    applied: 0,
    'up-to-date': 0,
    failed: 0,
    unverified: 0,
    unknown: 0,
    skipped: 0,
    cancelled: 0,
    'not-started': 0,
  };
  /** In the order in which they began. */
  readonly inFlight = new Map<string, InFlight>();
  /** Newest last. */
  readonly lastFailures: TenantOutcome[] = [];
  retries = 0;
  /** The outcome of the one tenant, in a run of one. */
  only: TenantOutcome | null = null;
  /** The tenant that was said to live somewhere, last. */
  located: string | null = null;

  get command(): RunCommand {
    return this.started?.command ?? 'migrate';
  }

  /** Tenants that this run has work for. */
  get total(): number {
    return this.started === null ? 0 : this.started.selected - this.started.upToDate;
  }

  /** Of these, how many were worked on and have an outcome. */
  get done(): number {
    return this.finished;
  }

  /** The most tenants that were in flight at once. */
  get slots(): number {
    return this.usedSlots.length;
  }

  get failed(): number {
    return this.counts.failed + this.counts.unverified + this.counts.unknown;
  }

  private finished = 0;
  private readonly usedSlots: boolean[] = [];

  observe(event: RunEvent, atMs: number): void {
    if (event.type === 'run.started') {
      this.started = event;
      this.counts['up-to-date'] += event.upToDate;
    } else if (event.type === 'tenant.started') {
      this.start(event.tenant, atMs);
    } else if (event.type === 'step.started') {
      const entry = this.inFlight.get(event.tenant);
      if (entry !== undefined) entry.step = event.step;
    } else if (event.type === 'tenant.located') {
      this.located = event.tenant;
    } else if (event.type === 'tenant.retried') {
      this.retries += 1;
    } else if (event.type === 'tenant.finished') {
      this.settle(event);
    } else if (event.type === 'run.paused' || event.type === 'run.resumed') {
      this.isPaused = event.type === 'run.paused';
    } else if (event.type === 'cluster.held') {
      this.held.set(event.cluster, event.reason);
    } else if (event.type === 'cluster.released') {
      this.held.delete(event.cluster);
    } else if (event.type === 'wave.started') {
      this.wave = { wave: event.wave, waves: event.waves, tenants: event.tenants, soaksUntilMs: null };
    } else if (event.type === 'wave.finished') {
      const isOver = event.wave === event.waves || this.draining !== null;
      this.wave = this.wave && { ...this.wave, soaksUntilMs: isOver ? null : atMs + event.soakMs };
    } else if (event.type === 'run.draining') {
      this.isPaused = false;
      this.held.clear();
      this.draining = event;
    }
  }

  private start(tenant: string, atMs: number): void {
    if (this.inFlight.has(tenant)) return;
    const free = this.usedSlots.indexOf(false);
    const slot = free === -1 ? this.usedSlots.length : free;
    this.usedSlots[slot] = true;
    this.inFlight.set(tenant, { tenant, step: null, sinceMs: atMs, slot });
  }

  private settle(outcome: TenantOutcome): void {
    const entry = this.inFlight.get(outcome.tenant);
    if (entry !== undefined) this.usedSlots[entry.slot] = false;
    this.inFlight.delete(outcome.tenant);
    this.only = this.started?.selected === 1 ? outcome : null;
    this.counts[outcome.outcome] += 1;
    // Draining settles what it never reached in one go: that is no progress.
    if (outcome.outcome !== 'not-started') this.finished += 1;
    if (!isFailure(outcome)) return;
    this.lastFailures.push(outcome);
    if (this.lastFailures.length > KEPT_FAILURES) this.lastFailures.shift();
  }
}

export function isFailure({ outcome }: TenantOutcome): boolean {
  return outcome === 'failed' || outcome === 'unverified' || outcome === 'unknown';
}

/** Milliseconds until the last tenant is done, at the pace so far; null before there is one. */
export function estimateTimeLeft(done: number, total: number, elapsedMs: number): number | null {
  return done === 0 || elapsedMs <= 0 ? null : ((total - done) * elapsedMs) / done;
}
