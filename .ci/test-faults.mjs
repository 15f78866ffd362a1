// Runs the tests of the scorecard whole, and prints how each of them came out. Some arguments, or TENANCY_FAULTS=sampled, make it less.
import process from 'node:process';
import { runVitest } from './run-vitest.mjs';

const args = process.argv.slice(2);
// A sweep of every request waits more than it works.
const { titles, scorecard, notRun, exitCode } = await runVitest(args.length > 0 ? args : ['test/faults'], {
  TENANCY_FAULTS: process.env.TENANCY_FAULTS ?? 'all',
});

console.log(`\n  #  ${'what'.padEnd(70)}${'tests'.padStart(7)}${'points'.padStart(8)}${'converged'.padStart(11)}  result`);
let passed = 0;
let failed = 0;
for (const [number, title] of Object.entries(titles)) {
  const tests = scorecard.filter((test) => test.number === Number(number));
  const run = tests.filter(({ state }) => state !== 'not-run');
  const sum = (key) => run.reduce((total, test) => total + test[key], 0);
  const hasPassed = run.length > 0 && run.every(({ state }) => state === 'passed') && sum('tried') === sum('converged');
  const result = run.length === 0 ? 'not run' : hasPassed ? 'passed' : 'FAILED';
  passed += result === 'passed' ? 1 : 0;
  failed += result === 'FAILED' ? 1 : 0;
  const counts = `${String(run.length).padStart(7)}${String(sum('tried')).padStart(8)}${String(sum('converged')).padStart(11)}`;
  console.log(`${number.padStart(3)}  ${title.padEnd(70)}${counts}  ${result}`);
  for (const { name, note } of tests.filter(({ state }) => state === 'not-run'))
    console.log(`     not run: ${name}${note ? ` (${note})` : ''}`);
}
for (const line of notRun.filter((line) => !scorecard.some(({ name }) => line.startsWith(name)))) console.log(`not run: ${line}`);
console.log(`${passed} of ${Object.keys(titles).length} passed, ${failed} failed`);
process.exitCode = exitCode;
