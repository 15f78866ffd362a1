import process from 'node:process';
import { execa } from 'execa';
import { isRequired } from './require.js';

let found: Promise<string | null> | undefined;

/**
 * A Node.js that pg-boss runs on: this one, or the one that npm can bring; null where there is none, unless TENANCY_TEST_REQUIRE names `node24`: then
 * that is a failure.
 */
export function findModernNode(): Promise<string | null> {
  found ??= find().then((node) => {
    if (node === null && isRequired('node24')) throw new Error('TENANCY_TEST_REQUIRE names node24, and npx -p node@24 brought none');
    return node;
  });
  return found;
}

async function find(): Promise<string | null> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 12)) return process.execPath;
  const { stdout, exitCode } = await execa('npx', ['-y', '-p', 'node@24', '-c', 'node -p process.execPath'], { reject: false });
  const file = stdout.trim().split('\n').at(-1) ?? '';
  return exitCode === 0 && file !== '' && file !== process.execPath ? file : null;
}
