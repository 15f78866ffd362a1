/** The process exit codes that scripts may rely on. */
export const EXIT = {
  ok: 0,
  tenantsFailed: 1,
  usage: 2,
  pending: 3,
  refused: 4,
  locked: 5,
  unreachable: 6,
  bug: 70,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** How one error code is worded, and what the process exits with when it ends a command. */
export interface ErrorDefinition<Details> {
  readonly exit: ExitCode;
  /** What happened, and to whom: one sentence without a trailing hint. */
  readonly message: (details: Details) => string;
  /** What to type next; undefined where the message says it. */
  readonly hint?: (details: Details) => string | undefined;
  /** Trying the same command again may succeed. */
  readonly isRetryable?: boolean;
}

export function defineError<Details>(definition: ErrorDefinition<Details>): ErrorDefinition<Details> {
  return definition;
}
