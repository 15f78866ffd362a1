import { EXIT, type ExitCode } from '../errors/define.js';
import { exitCodeOf } from '../errors.js';
import type { RunCommand } from '../events.js';
import type { OutcomeCounts, TenantOutcome } from '../outcome.js';
import type { DrainReason, RunStop } from '../run-stop.js';

/** What a run came to; also what the programmatic API answers with. */
export interface RunReport {
  readonly runId: string;
  readonly command: RunCommand;
  readonly selected: number;
  readonly counts: OutcomeCounts;
  /** Every tenant that failed, worst first. */
  readonly failed: readonly TenantOutcome[];
  /** What kept tenants from being started, and how many; null where nothing did. */
  readonly stopped: RunStop | null;
  /** Tenants with something to do, in a dry run. */
  readonly pending: number;
  readonly ms: number;
  /** What the command line exits with. */
  readonly exitCode: ExitCode;
}

/** Those after which the run has not come to its own end. */
export const INTERRUPTING: ReadonlySet<DrainReason> = new Set(['interrupted', 'terminated', 'lease-lost', 'cancelled']);

/** Where one tenant was asked for, the exit code says why it failed; a fleet only says that some did. */
export function decideExitCode(selected: number, failed: readonly TenantOutcome[], drained: DrainReason | null): ExitCode {
  if (drained === 'interrupted' || drained === 'cancelled') return EXIT.interrupted;
  if (drained === 'lease-lost') return EXIT.locked;
  if (drained === 'terminated') return EXIT.terminated;
  const [first] = failed;
  if (!first) return drained === 'gate' ? EXIT.refused : EXIT.ok;
  if (selected > 1 || !first.error) return EXIT.tenantsFailed;
  return exitCodeOf(first.error.code);
}
