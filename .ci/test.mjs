// Runs the tests, then says what was not run and, on the last line, alone: "N passed, N failed".
import process from 'node:process';
import { runVitest } from './run-vitest.mjs';

const args = process.argv.slice(2);
const { passed, failed, notRun, exitCode } = await runVitest(args);
// With -t, what it leaves out was not asked for.
const isFiltered = args.some((arg) => /^(-t|--testNamePattern)/.test(arg));
for (const line of isFiltered ? [] : notRun) console.log(`not run: ${line}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = exitCode;
