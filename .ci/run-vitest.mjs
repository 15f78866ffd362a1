// Runs vitest, and answers with what it left behind: counts, what was not run, and the scorecard.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export async function runVitest(args, env = {}) {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'tenancy-counts-'));
  const countsFile = path.join(scratch, 'counts.json');
  const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
  const config = path.join(root, 'test/vitest.config.ts');
  const child = spawn(process.execPath, [vitest, 'run', '--config', config, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env, TENANCY_TEST_COUNTS: countsFile },
  });
  // A Ctrl-C reaches vitest too, which ends its servers first.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code, signal] = await once(child, 'close');
  const counts = readCounts(countsFile);
  rmSync(scratch, { recursive: true, force: true });
  const exitCode = code ?? 1;
  if (signal !== null) console.log(`the tests were ended by ${signal}`);
  for (const failure of counts.failures) console.log(`failed: ${failure}`);
  // A run that broke, or left something behind, has failed although each of its tests passed.
  const failed = counts.failed === 0 && exitCode !== 0 ? 1 : counts.failed;
  return { ...counts, failed, exitCode: failed > 0 && exitCode === 0 ? 1 : exitCode };
}

function readCounts(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 0, notRun: [], missing: [], failures: [], titles: {}, scorecard: [] };
  }
}
