import { defineError, EXIT } from './define.js';

export const reportErrors = {
  TENANCY_JUNIT_UNWRITTEN: defineError<{ file: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, reason }) => `the JUnit report can't be written to ${file}: ${reason}`,
    hint: () => 'give --junit (or TENANCY_JUNIT) a file in a folder that is there',
  }),
};
