import { backupErrors } from './errors/backup-errors.js';
import { configErrors } from './errors/config-errors.js';
import { type ErrorDefinition, EXIT, type ExitCode } from './errors/define.js';
import { driverErrors } from './errors/driver-errors.js';
import { embeddedErrors } from './errors/embedded-errors.js';
import { hookErrors } from './errors/hook-errors.js';
import { lifecycleErrors } from './errors/lifecycle-errors.js';
import { migrationErrors } from './errors/migration-errors.js';
import { planErrors } from './errors/plan-errors.js';
import { registryErrors } from './errors/registry-errors.js';
import { reportErrors } from './errors/report-errors.js';
import { scaffoldErrors } from './errors/scaffold-errors.js';
import { secretErrors } from './errors/secret-errors.js';
import { redact } from './util/redact.js';

/** Every code there is; each area words its own in `src/errors/`. */
const definitions = {
  ...backupErrors,
  ...configErrors,
  ...embeddedErrors,
  ...registryErrors,
  ...driverErrors,
  ...migrationErrors,
  ...lifecycleErrors,
  ...planErrors,
  ...hookErrors,
  ...scaffoldErrors,
  ...reportErrors,
  ...secretErrors,
};

type Definitions = typeof definitions;

/** A stable, documented name for what went wrong. */
export type TenancyErrorCode = keyof Definitions;

/** The facts that the message of a code is made of. */
export type TenancyErrorDetails<Code extends TenancyErrorCode> = Definitions[Code] extends ErrorDefinition<infer Details> ? Details : never;

/**
 * An expected failure, with a message and a hint fit to be shown. Anything else that is thrown is a bug.
 *
 * The message never carries a secret: it passes through the one redaction function on its way in.
 */
export class TenancyError<Code extends TenancyErrorCode = TenancyErrorCode> extends Error {
  override readonly name = 'TenancyError';
  readonly code: Code;
  readonly details: TenancyErrorDetails<Code>;
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;
  readonly isRetryable: boolean;

  constructor(code: Code, details: TenancyErrorDetails<Code>, options: { cause?: unknown } = {}) {
    const definition = definitions[code] as unknown as ErrorDefinition<TenancyErrorDetails<Code>>;
    super(redact(definition.message(details)), options);
    this.code = code;
    this.details = details;
    this.exitCode = definition.exit;
    const hint = definition.hint?.(details);
    this.hint = hint === undefined ? undefined : redact(hint);
    this.isRetryable = definition.isRetryable ?? false;
  }
}

/** True for a `TenancyError`, and with `code` for one of that code. */
export function isTenancyError<Code extends TenancyErrorCode>(error: unknown, code?: Code): error is TenancyError<Code> {
  return error instanceof TenancyError && (code === undefined || error.code === code);
}

/** What a command over one tenant exits with when this code ended it. */
export function exitCodeOf(code: string): ExitCode {
  const definition = (definitions as Record<string, { readonly exit: ExitCode } | undefined>)[code];
  return definition?.exit ?? EXIT.bug;
}
