import { type Finding, failed, ok } from './findings.js';

/** The oldest of each line that has `process.getBuiltinModule`, and does what we need; newer lines all have it (Node's manual). */
const OLDEST: readonly (readonly [major: number, minor: number])[] = [
  [20, 19],
  [22, 3],
];

/** `version` as `process.version` has it. */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const newest = Math.max(...OLDEST.map(([line]) => line));
  const isSupported = major > newest || OLDEST.some(([line, least]) => major === line && minor >= least);
  if (isSupported) return ok('node', `Node.js ${version}`);
  return failed('node', `Node.js ${version} is too old`, `install Node.js ${OLDEST.map((oldest) => oldest.join('.')).join(', ')} or newer`);
}
