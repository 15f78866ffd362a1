import { defineError, EXIT } from './define.js';
import { describeWayBack } from './lost-home.js';

export const lifecycleErrors = {
  TENANCY_ID_REJECTED: defineError<{ id: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ id, reason }) => `${JSON.stringify(id)} can't be a tenant id: ${reason}`,
    hint: () => 'an id is 1 to 63 of A-Z a-z 0-9 _ -, and starts with a letter or a digit',
  }),
  TENANCY_POOL_NOT_CONFIGURED: defineError<{ cluster: string; isNamed: boolean; known: readonly string[] }>({
    exit: EXIT.usage,
    message: ({ cluster, isNamed }) => (isNamed ? `cluster ${cluster} has no warm pool in the config` : 'the config has no warm pool'),
    hint: ({ cluster, known }) =>
      known.length > 0
        ? `name ${known.join(' or ')}, or add clusters.${cluster}.pool`
        : `add clusters.${cluster}.pool: { driver: 'postgres-database', size: 20 }`,
  }),
  TENANCY_OPTION_REJECTED: defineError<{ option: string; value: string; expected: string; closest?: string | undefined }>({
    exit: EXIT.usage,
    message: ({ option, value, expected }) => `${option}: expected ${expected}, got ${JSON.stringify(value)}`,
    hint: ({ closest }) => (closest === undefined ? undefined : `did you mean ${closest}?`),
  }),
  TENANCY_COMMAND_LINE_REJECTED: defineError<{ reason: string }>({
    exit: EXIT.usage,
    message: ({ reason }) => reason,
    hint: () => 'add --help for what there is',
  }),
  TENANCY_SELECTION_MISSING: defineError<{ command: string }>({
    exit: EXIT.usage,
    message: ({ command }) => `${command} was not told which tenants`,
    hint: () => 'name ids, or say --all, --label key=value, --cluster NAME, --status S or --failed',
  }),
  TENANCY_STDIN_EMPTY: defineError<Record<never, never>>({
    exit: EXIT.usage,
    message: () => 'stdin held no ids',
    hint: () => '`-` reads one id a line, without blank lines and `#` comments; check what was to write them',
  }),
  TENANCY_SELECTION_REFUSED: defineError<{ reason: string }>({
    exit: EXIT.usage,
    message: ({ reason }) => reason,
    hint: () => 'either name ids, or select with --all, --label, --cluster and --status',
  }),
  TENANCY_TENANT_NOT_FOUND: defineError<{ ids: readonly string[]; suggestions: readonly string[] }>({
    exit: EXIT.usage,
    message: ({ ids }) => `no tenant is registered as ${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ` and ${ids.length - 5} more` : ''}`,
    hint: ({ suggestions }) => (suggestions.length > 0 ? `did you mean ${suggestions.join(' or ')}?` : 'see `tenancy tenant list`'),
  }),
  TENANCY_MIGRATIONS_NOT_CONFIGURED: defineError<{ command: string; file: string }>({
    exit: EXIT.usage,
    message: ({ command, file }) => `there is nothing to ${command}: ${file} has neither migrations nor a migrate hook`,
    hint: () => "add migrations: { directory: './migrations/tenant' } to it",
  }),
  TENANCY_LOCK_HELD: defineError<{ tenant: string; owner: string; host: string; since: string }>({
    exit: EXIT.locked,
    message: ({ tenant, host, since }) => `${tenant} is being worked on by another process on ${host}, since ${since}`,
    hint: () => 'wait for it and run the same command again; a process that has died frees its tenants within 15 s',
    isRetryable: true,
  }),
  TENANCY_LEASE_LOST: defineError<{ tenant: string }>({
    exit: EXIT.locked,
    message: ({ tenant }) => `${tenant}: this process stood still for so long that another may have taken over; it wrote nothing more`,
    hint: () => 'run the same command again',
    isRetryable: true,
  }),
  TENANCY_STATE_REFUSED: defineError<{ tenant: string; status: string; command: string; next: string }>({
    exit: EXIT.refused,
    message: ({ tenant, status, command }) => `${tenant} is ${status}, so it can't be ${command}`,
    hint: ({ next }) => next,
  }),
  TENANCY_STATE_MOVED: defineError<{ tenant: string }>({
    exit: EXIT.locked,
    message: ({ tenant }) => `${tenant} was changed by another process in the meantime`,
    hint: () => 'run the same command again',
    isRetryable: true,
  }),
  TENANCY_CLUSTER_UNKNOWN: defineError<{ tenant: string; cluster: string; known: readonly string[] }>({
    exit: EXIT.usage,
    message: ({ tenant, cluster }) => `the config doesn't name cluster ${cluster}, the home of ${tenant}`,
    hint: ({ cluster, known }) => `add clusters.${cluster} to the config (it has ${known.join(', ')})`,
  }),
  TENANCY_CLUSTER_CHANGED: defineError<{ cluster: string; known: string; found: string }>({
    exit: EXIT.refused,
    message: ({ cluster, known, found }) =>
      `cluster ${cluster} is another server than the one its tenants were made on (known: ${known}, found: ${found})`,
    hint: ({ cluster, found }) =>
      `check clusters.${cluster}.url${isWeakIdentity(found) ? ', and that its login may read the id of the set (clusterMonitor)' : ''}; if the server was replaced on purpose, add --accept-cluster ${cluster}`,
  }),
  TENANCY_HOOK_FAILED: defineError<{ tenant: string; hook: string; reason: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, hook, reason }) => `${tenant}: the ${hook} hook failed: ${reason}`,
    hint: () => 'mend the hook, then run the same command again: it continues at this step',
  }),
  TENANCY_STEP_FAILED: defineError<{ tenant: string; step: string; reason: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, step, reason }) => `${tenant}: ${step} failed: ${reason}`,
    hint: () => 'run the same command again: it continues at this step',
  }),
  TENANCY_RIGHT_MISSING: defineError<{ tenant: string; step: string; cluster: string; reason: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, step, cluster, reason }) =>
      `${tenant}: ${step} failed, as the login of cluster ${cluster} lacks a right: ${reason}`,
    hint: () => 'grant it (`tenancy doctor` says what each driver needs), then run the same command again: it continues at this step',
  }),
  TENANCY_TIMEOUT_REACHED: defineError<{ tenant: string; timeoutMs: number }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, timeoutMs }) => `${tenant} was not done within --timeout (${timeoutMs / 1000} s), and was stopped`,
    hint: () => 'run the same command again with a longer --timeout: it continues where it was',
  }),
  TENANCY_RUN_ABORTED: defineError<{ by?: 'interrupt' | 'cancel' | 'take-over' }>({
    exit: EXIT.interrupted,
    message: ({ by }) => `stopped in flight${by === undefined ? '' : `, ${ABORTED_BY[by]}`}`,
    hint: ({ by }) =>
      by === 'take-over' ? 'what is left is done there: see `tenancy run list`' : 'run the same command again: it continues where it was',
    isRetryable: true,
  }),
  TENANCY_RUN_LEFT: defineError<{ run: string }>({
    exit: EXIT.interrupted,
    message: ({ run }) => `nobody follows the run ${run} here any more; its workers go on with it`,
    hint: ({ run }) =>
      `\`tenancy run follow ${run}\` comes back to it; \`tenancy run pause ${run}\` holds it, \`tenancy run cancel ${run}\` ends it`,
  }),
  TENANCY_RUN_NOT_FOLLOWED: defineError<{ run: string; reason: string; advice: string }>({
    exit: EXIT.refused,
    message: ({ run, reason }) => `the run ${run} can't be followed: ${reason}`,
    hint: ({ advice }) => advice,
  }),
  TENANCY_WORKERS_MISSING: defineError<{ run: string; target: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ run }) => `no worker has taken any of ${run} yet`,
    hint: ({ target }) => `start \`tenancy worker\` where the same migrations are, up to ${target}; the run waits for it`,
  }),
  TENANCY_EXECUTOR_REFUSED: defineError<{ reason: string; advice: string }>({
    exit: EXIT.usage,
    message: ({ reason }) => reason,
    hint: ({ advice }) => advice,
  }),
  TENANCY_COMMAND_INTERRUPTED: defineError<Record<string, never>>({
    exit: EXIT.interrupted,
    message: () => 'the command was interrupted before it had ended',
    hint: () => 'run the same command again: it continues where it was',
    isRetryable: true,
  }),
  TENANCY_COMMAND_TERMINATED: defineError<Record<string, never>>({
    exit: EXIT.terminated,
    message: () => 'the command was told to end (SIGTERM) before it had ended',
    hint: () => 'run the same command again: it continues where it was',
    isRetryable: true,
  }),
  TENANCY_TENANT_DRIFTED: defineError<{ tenant: string; findings: number; sentences: readonly string[] }>({
    exit: EXIT.pending,
    message: ({ tenant, findings, sentences }) =>
      `${tenant}: ${sentences.join('; ')}${findings > sentences.length ? `; and ${findings - sentences.length} more` : ''}`,
    hint: ({ tenant }) => `\`tenancy tenant verify ${tenant}\` says what mends each, and with --fix mends what can be mended safely`,
  }),
  TENANCY_VERSION_UNVERIFIED: defineError<{ tenant: string; expected: string; found: string | null }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, expected, found }) =>
      `${tenant}: the migrate hook ended well, but the tenant is at ${found ?? 'no version'} instead of ${expected}`,
    hint: () => 'check that the migrator writes its history into the schema or database of this tenant',
  }),
  TENANCY_DEPROVISION_REFUSED: defineError<{
    reason: string;
    next: string /** @default 'deprovision' */;
    command?: 'deprovision' | 'purge';
  }>({
    exit: EXIT.refused,
    message: ({ reason, command = 'deprovision' }) => `${command} refused: ${reason}`,
    hint: ({ next }) => next,
  }),
  TENANCY_RETENTION_UNEXPIRED: defineError<{ tenant: string; until: string }>({
    exit: EXIT.refused,
    message: ({ tenant, until }) => `${tenant} is retained until ${until}, and isn't purged before`,
    hint: ({ tenant }) => `run the same command again then, or add --early; \`tenancy tenant undelete ${tenant}\` brings it back`,
  }),
  TENANCY_CONFIRMATION_MISSING: defineError<{ what: string; flag: string }>({
    exit: EXIT.refused,
    message: ({ what }) => `${what} has to be confirmed, and there is no terminal to ask on`,
    hint: ({ flag }) => `add ${flag}`,
  }),
  TENANCY_CONFIRMATION_MISMATCHED: defineError<{ expected: string; given: string }>({
    exit: EXIT.refused,
    message: ({ expected, given }) => `the confirmation ${JSON.stringify(given)} is not ${JSON.stringify(expected)}; nothing was touched`,
    hint: ({ expected }) => `run the same command again, and type ${expected}, or add --confirm ${expected}`,
  }),
  TENANCY_RUN_NOT_FOUND: defineError<{ run: string; suggestion: string | null }>({
    exit: EXIT.usage,
    message: ({ run }) => (run === 'last' ? 'there has been no run yet' : `there is no run ${run}`),
    hint: ({ suggestion }) =>
      `${suggestion === null ? '' : `did you mean ${suggestion}? `}see \`tenancy run list\`; the newest goes by \`last\``,
  }),
  TENANCY_RUN_NOT_CONTROLLED: defineError<{ run: string; done: string; reason: string; next: string | null }>({
    exit: EXIT.usage,
    message: ({ run, done, reason }) => `run ${run} can't be ${done}: ${reason}`,
    hint: ({ next, run }) => next ?? `see \`tenancy run show ${run}\``,
  }),
  TENANCY_RUN_NOT_RETRIABLE: defineError<{ run: string; reason: string; next: string }>({
    exit: EXIT.usage,
    message: ({ run, reason }) => `run ${run} can't be retried: ${reason}`,
    hint: ({ next }) => next,
  }),
  TENANCY_REPAIR_UNDECIDED: defineError<{ tenant: string; migration: string; statement: number }>({
    exit: EXIT.refused,
    message: ({ tenant, migration, statement }) =>
      `${tenant}: statement ${statement} of ${migration} was interrupted, and it can't be told whether it ran`,
    hint: ({ tenant }) => `look, then say \`tenancy tenant repair ${tenant} --applied\` or \`tenancy tenant repair ${tenant} --rerun\``,
  }),
  TENANCY_HISTORY_LOST: defineError<{ tenant: string; recorded: string }>({
    exit: EXIT.refused,
    message: ({ tenant, recorded }) =>
      `${tenant} is recorded at ${recorded}, but has no history of migrations any more: starting again from the first could do everything twice`,
    hint: ({ tenant, recorded }) =>
      `restore the tenant, or say what it has: \`tenancy tenant repair ${tenant} --applied-up-to ${recorded}\` (or none)`,
  }),
  TENANCY_HOME_MISSING: defineError<{
    tenant: string;
    name: string;
    cluster: string;
    /** @default false */
    isRetained?: boolean;
  }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, name, cluster }) => `${tenant} is registered, but ${name} is not on cluster ${cluster}`,
    hint: ({ tenant, isRetained = false }) => describeWayBack(tenant, isRetained),
  }),
  TENANCY_PATTERN_REJECTED: defineError<{ pattern: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ pattern, reason }) => `--pattern ${JSON.stringify(pattern)}: ${reason}`,
    hint: () => "write the part that is the tenant's id as {id}: --pattern 'tenant_{id}'",
  }),
  TENANCY_FILE_EXISTS: defineError<{ file: string }>({
    exit: EXIT.refused,
    message: ({ file }) => `${file} is there already, and init never overwrites`,
    hint: () => 'move it away, or run init in another directory',
  }),
};

const ABORTED_BY = {
  interrupt: 'by a second interrupt',
  cancel: 'by `tenancy run cancel --now`',
  'take-over': 'as another process has gone on with this run',
} as const;

/** MongoDB's, as a login sees it that may read no better one: perhaps it isn't the server that has changed. */
function isWeakIdentity(found: string): boolean {
  return found.startsWith('replica set named ');
}
