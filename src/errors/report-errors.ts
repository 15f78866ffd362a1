import { defineError, EXIT } from './define.js';

export const reportErrors = {
  TENANCY_JUNIT_UNWRITTEN: defineError<{ file: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, reason }) => `the JUnit report can't be written to ${file}: ${reason}`,
    hint: () => 'give --junit (or TENANCY_JUNIT) a file in a folder that is there',
  }),
  TENANCY_REPORT_REJECTED: defineError<{ file: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, reason }) => `${file} is no report of a run: ${reason}`,
    hint: () => 'give what a run wrote to stdout with --json, one file for each',
  }),
  TENANCY_REPORTS_UNMERGED: defineError<{ reason: string }>({
    exit: EXIT.usage,
    message: ({ reason }) => `these reports don't make one: ${reason}`,
    hint: () => 'give the reports of one command, one for each shard',
  }),
  TENANCY_REPORTS_INCOMPLETE: defineError<{ problems: readonly string[] }>({
    exit: EXIT.refused,
    message: ({ problems }) => `the report is not of the whole: ${problems.join('; ')}`,
    hint: () => 'run what is missing again, then merge all of them',
  }),
};
