import process from 'node:process';
import { execa } from 'execa';

let found: Promise<string | null> | undefined;

/** A Node.js that pg-boss runs on: this one, or the one that npm can bring; null where there is none. */
export function findModernNode(): Promise<string | null> {
  found ??= find();
  return found;
}

async function find(): Promise<string | null> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 12)) return process.execPath;
  const { stdout, exitCode } = await execa('npx', ['-y', '-p', 'node@24', '-c', 'node -p process.execPath'], { reject: false });
  const file = stdout.trim().split('\n').at(-1) ?? '';
  return exitCode === 0 && file !== '' && file !== process.execPath ? file : null;
}
