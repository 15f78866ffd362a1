import { writeFileSync } from 'node:fs';
import process from 'node:process';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Leaves the numbers of a run, and what was not run and why, in the file that TENANCY_TEST_COUNTS names. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const file = process.env.TENANCY_TEST_COUNTS;
    if (file === undefined) return;
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const results = tests.map((test) => ({ name: test.fullName, result: test.result() }));
    const notCollected = modules.flatMap((module) => [module, ...module.children.allSuites()]).filter((suite) => suite.errors().length > 0);
    const counts = {
      passed: results.filter(({ result }) => result.state === 'passed').length,
      failed: results.filter(({ result }) => result.state === 'failed').length + notCollected.length + errors.length,
      notRun: results.flatMap(({ name, result }) => (result.state === 'skipped' ? [`${name} (${result.note ?? 'skipped'})`] : [])),
    };
    writeFileSync(file, JSON.stringify(counts));
  }
}
