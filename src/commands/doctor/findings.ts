import { EXIT, type ExitCode } from '../../errors/define.js';
import { TenancyError } from '../../errors.js';
import type { DoctorCheck } from '../../reporters/documents/doctor-document.js';
import { redact } from '../../util/redact.js';

/** A check, and what the command exits with on its account. */
export interface Finding extends DoctorCheck {
  readonly exit: ExitCode;
}

export function ok(name: string, detail: string): Finding {
  return { name, status: 'ok', detail, exit: EXIT.ok };
}

export function warning(name: string, detail: string, hint?: string): Finding {
  return { name, status: 'warning', detail, ...(hint === undefined ? {} : { hint }), exit: EXIT.ok };
}

export function failed(name: string, detail: string, hint: string | undefined, exit: ExitCode = EXIT.usage): Finding {
  return { name, status: 'failed', detail, ...(hint === undefined ? {} : { hint }), exit };
}

/** What was thrown as a failed check, so that the others go on. */
export function failedBy(name: string, error: unknown): Finding {
  if (error instanceof TenancyError) {
    // Told once, by the check of that server.
    const isEmbeddeds = error.code.startsWith('TENANCY_EMBEDDED_') && name !== 'embedded';
    if (isEmbeddeds) return failed(name, 'its embedded server does not run', undefined, error.exitCode);
    return failed(name, error.message, error.hint, error.exitCode);
  }
  const message = redact(error instanceof Error ? error.message : String(error));
  // A five-character code is the server's own word for what it refused; anything else we did not foresee.
  const isServers = /^[0-9A-Z]{5}$/.test((error as { readonly code?: string } | null)?.code ?? '');
  return failed(name, message, undefined, isServers ? EXIT.usage : EXIT.bug);
}

/** From what has to be mended by hand down to what may be well the next time: a script that tries 6 again must not hide a 2. */
const WORST_FIRST: readonly ExitCode[] = [EXIT.bug, EXIT.usage, EXIT.refused, EXIT.locked, EXIT.unreachable];

/** 0 where nothing failed, warnings or not; with several failures the one that trying again helps least. */
export function chooseExit(findings: readonly Finding[]): ExitCode {
  const failures = findings.filter(({ status }) => status === 'failed');
  return WORST_FIRST.find((exit) => failures.some((finding) => finding.exit === exit)) ?? failures[0]?.exit ?? EXIT.ok;
}
