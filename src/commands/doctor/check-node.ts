import { type Finding, failed, ok } from './findings.js';

const OLDEST = [20, 19] as const;

/** `version` as `process.version` has it. */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const isSupported = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  if (isSupported) return ok('node', `Node.js ${version}`);
  return failed('node', `Node.js ${version} is too old`, `install Node.js ${OLDEST.join('.')} or newer`);
}
