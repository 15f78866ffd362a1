// No committed file may name a folder of somebody's machine, or the host that somebody's packages came from.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const own = path.relative(root, fileURLToPath(import.meta.url));

const patterns = [
  { what: 'a folder of a machine', pattern: /(?<![\w.}/])\/(?:home|Users|root|work)\/[\w.-]+/g },
  { what: 'a folder of a machine', pattern: /[A-Z]:\\\\?Users\\/g },
  { what: 'a package host', pattern: /"resolved": "(?:https?|git)[^"]*"/g },
  ...[root.replace(/\/$/, ''), registryHost()].filter(Boolean).map((text) => ({
    what: 'this machine',
    pattern: new RegExp(`${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-])`, 'g'),
  })),
];

const findings = listFiles().flatMap((file) => {
  const text = readFileSync(path.join(root, file), 'utf8');
  if (text.includes('\0')) return [];
  return patterns.flatMap(({ what, pattern }) =>
    [...text.matchAll(pattern)].map((match) => `${file}:${text.slice(0, match.index).split('\n').length}: ${what}: ${match[0]}`),
  );
});

for (const finding of findings) console.log(finding);
process.exitCode = findings.length === 0 ? 0 : 1;

function listFiles() {
  if (!existsSync(path.join(root, '.git'))) return [];
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 1e8 };
  return execFileSync('git', ['-c', 'safe.directory=*', 'ls-files', '-z'], options)
    .split('\0')
    .filter((file) => file !== '' && file !== own && existsSync(path.join(root, file)));
}

/** Only a host of one's own tells anything; everybody has the public one. */
function registryHost() {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  const host = URL.canParse(registry) ? new URL(registry).host : '';
  return host.endsWith('npmjs.org') ? '' : host;
}
