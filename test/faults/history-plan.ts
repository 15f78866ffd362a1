import { createRandom } from './weather.js';

export type Fault = 'none' | 'killed' | 'reset' | 'terminated' | 'stopped';

/** One command of one process, and what becomes of it. */
export interface PlannedStep {
  readonly args: readonly string[];
  readonly fault: Fault;
  /** The request at which it happens; a command that is over before it comes through. */
  readonly request: number;
  /** Leases run out before it, also those of who is at work: as if all of them had stood still for so long. */
  readonly isLate: boolean;
}

/** What one process after the other of a line does; the lines go on at the same time. */
export type Plan = readonly (readonly PlannedStep[])[];

export const tenants = ['acme', 'beta', 'gamma'] as const;

const commands: readonly [weight: number, (id: string) => readonly string[]][] = [
  [6, (id) => ['tenant', 'provision', id]],
  [5, (id) => ['tenant', 'migrate', id]],
  [2, (id) => ['tenant', 'migrate', id, '--to', '0002_orders']],
  [2, (id) => ['tenant', 'rollback', id, '--to', '0001_accounts']],
  [2, (id) => ['tenant', 'suspend', id]],
  [2, (id) => ['tenant', 'resume', id]],
  [4, (id) => ['tenant', 'deprovision', id, '--skip-backup', '--confirm', id]],
  // Its time is over at once, so that whoever comes first may bring it back or purge it.
  [3, (id) => ['tenant', 'deprovision', id, '--retain', '1ms', '--skip-backup', '--confirm', id]],
  [3, (id) => ['tenant', 'undelete', id]],
  [2, (id) => ['tenant', 'purge', id, '--confirm', id]],
  [1, (id) => ['tenant', 'repair', id]],
  [1, (id) => ['tenant', 'protect', id]],
  [2, (id) => ['tenant', 'unprotect', id]],
  [1, (id) => ['tenant', 'unlock', id]],
  [1, () => ['tenant', 'migrate', '--all']],
  [1, () => ['run', 'retry', 'last']],
];
const faults: readonly [weight: number, Fault][] = [
  [6, 'none'],
  [4, 'killed'],
  [1, 'reset'],
  [1, 'terminated'],
  [1, 'stopped'],
];
/** Most commands send fewer; those that send more are ended late too. */
const REQUESTS = 45;

/** The same seed gives the same plan; how its lines meet is the machine's. */
export function planHistory(seed: number, lines: number, steps: number): Plan {
  const random = createRandom(seed);
  const pick = <T>(weighted: readonly [number, T][]): T => {
    let at = random() * weighted.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of weighted) {
      at -= weight;
      if (at < 0) return value;
    }
    return (weighted.at(-1) as [number, T])[1];
  };
  return Array.from({ length: lines }, () =>
    Array.from({ length: Math.ceil(steps / lines) }, () => ({
      args: pick(commands as [number, (id: string) => readonly string[]][])(tenants[Math.floor(random() * tenants.length)] ?? 'acme'),
      fault: pick(faults as [number, Fault][]),
      request: 1 + Math.floor(random() * REQUESTS),
      isLate: random() < 0.4,
    })),
  );
}
