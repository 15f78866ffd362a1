// Everything about the sources and the package that can be told without running tests: `npm run check`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(path.join(os.tmpdir(), 'tenancy-check-'));
const failed = [];

try {
  check('types', 'tsc', ['--noEmit', '-p', '.']);
  check('lint and format', 'biome', ['check', '.', '--error-on-warnings', '--max-diagnostics=200', '--colors=off']);
  check('dead code', 'knip', ['--no-progress']);
  check('leaks', process.execPath, ['.ci/check-leaks.mjs']);
  if (check('pack', 'npm', ['pack', '--ignore-scripts', '--pack-destination', scratch])) {
    const tarball = path.join(
      scratch,
      readdirSync(scratch).find((name) => name.endsWith('.tgz')),
    );
    check('publint', 'publint', [tarball, '--strict']);
    check('exported types', 'attw', [tarball, '--profile', 'esm-only', '--no-definitely-typed', '--no-color', '--no-emoji']);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

console.log(failed.length === 0 ? 'all checks passed' : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** Runs to its end, and shows what it said only where it failed: all that is wrong is seen in one go. */
function check(name, command, args) {
  const bin = path.join(root, 'node_modules/.bin');
  const env = { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH}` };
  const started = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, env, encoding: 'utf8', maxBuffer: 1e8 });
  const isPassed = status === 0;
  if (!isPassed) {
    failed.push(name);
    console.log(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`.trimEnd());
  }
  console.log(`${isPassed ? 'ok  ' : 'FAIL'} ${name} (${Math.round(performance.now() - started)} ms)`);
  return isPassed;
}
