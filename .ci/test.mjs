// Runs the tests, then says what was not run and, on the last line, alone: "N passed, N failed".
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(path.join(os.tmpdir(), 'tenancy-counts-'));
const countsFile = path.join(scratch, 'counts.json');

const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
const config = path.join(root, 'test/vitest.config.ts');
const child = spawn(process.execPath, [vitest, 'run', '--config', config, ...process.argv.slice(2)], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, TENANCY_TEST_COUNTS: countsFile },
});
// A Ctrl-C reaches vitest too, which ends its servers first.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));

child.on('close', (code, signal) => {
  const counts = readCounts();
  rmSync(scratch, { recursive: true, force: true });
  const exitCode = code ?? 1;
  // A run that broke, or left something behind, has failed although each of its tests passed.
  const failed = counts.failed === 0 && exitCode !== 0 ? 1 : counts.failed;
  if (signal !== null) console.log(`the tests were ended by ${signal}`);
  // With -t, what it leaves out was not asked for.
  const isFiltered = process.argv.some((arg) => /^(-t|--testNamePattern)/.test(arg));
  for (const line of isFiltered ? [] : counts.notRun) console.log(`not run: ${line}`);
  console.log(`${counts.passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 && exitCode === 0 ? 1 : exitCode;
});

function readCounts() {
  try {
    return JSON.parse(readFileSync(countsFile, 'utf8'));
  } catch {
    return { passed: 0, failed: 0, notRun: [] };
  }
}
