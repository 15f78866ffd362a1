/** Begins the note of a test that stands for suites that were not run; see count-reporter.ts. */
export const NOTE = 'needs ';
