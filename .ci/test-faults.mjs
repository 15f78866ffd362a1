// Runs the tests of the scorecard whole, and prints how each of them came out. Numbers or files, or TENANCY_FAULTS=sampled, make it less.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { runVitest } from './run-vitest.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const faults = 'test/faults';

/** The files that have a test of this number, or import a suite that has. */
function filesOf(number) {
  const begins = new RegExp(`\\(\\s*['"\`]${number} [a-zA-Z]`);
  const sources = new Map(
    readdirSync(path.join(root, faults))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => [name, readFileSync(path.join(root, faults, name), 'utf8')]),
  );
  const having = [...sources].filter(([, source]) => begins.test(source)).map(([name]) => name);
  const imports = (source) => having.some((name) => source.includes(`'./${name.replace(/\.ts$/, '.js')}'`));
  return [...sources]
    .filter(([name, source]) => name.endsWith('.test.ts') && (having.includes(name) || imports(source)))
    .map(([name]) => `${faults}/${name}`);
}

// Numbers stand for the files that have tests of theirs: `npm run test:faults 8 12`.
const args = process.argv.slice(2).flatMap((arg) => (/^\d+$/.test(arg) ? filesOf(arg) : [arg]));
if (process.argv.length > 2 && args.length === 0)
  throw new Error(`no test of ${faults} has the number ${process.argv.slice(2).join(', ')}`);
const { titles, scorecard, notRun, missing, exitCode } = await runVitest(args.length > 0 ? [...new Set(args)] : [faults], {
  TENANCY_FAULTS: process.env.TENANCY_FAULTS ?? 'all',
});

console.log(`\n  #  ${'what'.padEnd(70)}${'tests'.padStart(7)}${'points'.padStart(8)}${'converged'.padStart(11)}  result`);
const totals = { passed: 0, 'passed, in part': 0, FAILED: 0, 'not run': 0 };
for (const [number, title] of Object.entries(titles)) {
  const tests = scorecard.filter((test) => test.number === Number(number));
  // An engine that isn't here declares no tests: what the files of the number lack is all that can be told of them.
  const files = filesOf(number);
  const lacking = [...new Set(missing.filter(({ file }) => files.includes(file)).map(({ words }) => words))];
  if (args.length > 0 && tests.length === 0 && lacking.length === 0) continue;
  const run = tests.filter(({ state }) => state !== 'not-run');
  const sum = (key) => run.reduce((total, test) => total + test[key], 0);
  const hasPassed = run.every(({ state }) => state === 'passed') && sum('tried') === sum('converged');
  const isWhole = run.length === tests.length && lacking.length === 0;
  const result = run.length === 0 ? 'not run' : !hasPassed ? 'FAILED' : isWhole ? 'passed' : 'passed, in part';
  totals[result] += 1;
  const counts = `${String(run.length).padStart(7)}${String(sum('tried')).padStart(8)}${String(sum('converged')).padStart(11)}`;
  console.log(`${number.padStart(3)}  ${title.padEnd(70)}${counts}  ${result}`);
  for (const { name, note } of tests.filter(({ state, note }) => state === 'not-run' && !note?.startsWith('needs ')))
    console.log(`     not run: ${name}${note ? ` (${note})` : ''}`);
  for (const words of lacking) console.log(`     not run: what needs ${words}`);
}
const isTold = (line) => scorecard.some(({ name }) => line.startsWith(name)) || missing.some(({ words }) => words === line);
for (const line of notRun.filter((line) => !isTold(line))) console.log(`not run: ${line}`);
// Such as a file that could not be loaded, none of whose tests is in the table.
if (exitCode !== 0 && totals.FAILED === 0) console.log('something else failed: see above');
console.log(
  `${totals.passed} of ${Object.keys(titles).length} passed, ${totals['passed, in part']} passed in part, ${totals['not run']} not run, ${totals.FAILED} failed`,
);
process.exitCode = exitCode;
