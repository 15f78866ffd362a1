import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { stripVTControlCharacters } from 'node:util';
import type { Reporter, SerializedError, TestCase, TestModule, TestSuite } from 'vitest/node';
import { NOTE } from './note.js';
import { SCORECARD, scoreTest } from './scorecard.js';

/** Leaves the numbers of a run, what was not run and why, which files lacked what, and how the tests of the scorecard came out, in the file that TENANCY_TEST_COUNTS names. */
export default class CountReporter implements Reporter {
  /** At once too: a run of an hour may be stopped before its end. */
  onTestCaseResult(test: TestCase): void {
    if (process.env.TENANCY_TEST_COUNTS === undefined) return;
    for (const failure of describeFailures(test)) process.stdout.write(`fails: ${failure}\n`);
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const file = process.env.TENANCY_TEST_COUNTS;
    if (file === undefined) return;
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    const counts = {
      titles: SCORECARD,
      passed: count('passed'),
      failed: count('failed') + suites.filter((suite) => suite.errors().length > 0).length + errors.length,
      notRun: [...new Set(tests.flatMap(describeSkip))],
      missing: tests.flatMap(findMissing),
      failures: [
        ...[...tests, ...suites].flatMap(describeFailures),
        ...errors.map((error) => `outside of the tests: ${describeError(error)}`),
      ],
      scorecard: tests.map(scoreTest).filter((entry) => entry !== null),
    };
    writeFileSync(file, JSON.stringify(counts));
  }
}

/** Of a log, often only the end is kept: what failed and why is said once more there, as short as it can be and still be looked into. */
const FAILURE_CHARS = 1_500;

function describeFailures(entity: TestCase | TestSuite | TestModule): string[] {
  const errors = entity.type === 'test' ? (entity.result().errors ?? []) : entity.errors();
  const name = entity.type === 'module' ? entity.relativeModuleId : `${entity.module.relativeModuleId} > ${entity.fullName}`;
  return errors.map((error) => `${name}: ${describeError(error)}`);
}

function describeError({ message, diff }: { readonly message: string; readonly diff?: string }): string {
  const text = stripVTControlCharacters(diff === undefined ? message : `${message}\n${diff}`);
  return text.length > FAILURE_CHARS ? `${text.slice(0, FAILURE_CHARS)}…` : text;
}

/** Tests whose suite could not be set up are part of that failure, and those that a filter left out were not asked for. */
function describeSkip(test: TestCase): string[] {
  const result = test.result();
  if (result.state !== 'skipped' || hasBrokenSuite(test.parent)) return [];
  if (result.note === undefined && test.options.mode !== 'skip') return [];
  // Stands for suites of a server that isn't here: that is said once, however many they are.
  if (result.note?.startsWith(NOTE)) return [result.note.slice(NOTE.length)];
  return [`${test.fullName} (${result.note ?? 'skipped'})`];
}

/** The file whose suites were not run for want of something: which numbers they have nobody knows, as they were not declared. */
function findMissing(test: TestCase): { readonly file: string; readonly words: string }[] {
  const { note } = { note: undefined, ...test.result() };
  return note?.startsWith(NOTE) ? [{ file: test.module.relativeModuleId, words: note.slice(NOTE.length) }] : [];
}

function hasBrokenSuite(suite: TestSuite | TestModule): boolean {
  return suite.errors().length > 0 || (suite.type === 'suite' && hasBrokenSuite(suite.parent));
}
