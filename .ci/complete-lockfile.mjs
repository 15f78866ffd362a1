// Adds to package-lock.json the binaries for other machines that npm left out, because the registry it was written
// with doesn't carry them; without them `npm ci` fails. Run it after an install that changed the lockfile.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lockfile = JSON.parse(readFileSync(file, 'utf8'));
const { packages } = lockfile;

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

for (const [parent, { optionalDependencies = {}, license, engines }] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const isThere = packages[`node_modules/${name}`] ?? packages[`${parent}/node_modules/${name}`];
    const words = name.split(/[/-]/);
    const os = systems.find((system) => words.includes(system));
    const cpu = processors.find((processor) => words.includes(processor));
    if (isThere || os === undefined || cpu === undefined) continue;
    const libc = words.some((word) => word.startsWith('musl')) ? { libc: ['musl'] } : {};
    const entry = { version, cpu: [cpu], dev: true, ...libc, license, optional: true, os: [os], ...(engines && { engines }) };
    packages[`node_modules/${name}`] = entry;
    console.log(`added ${name} ${version}`);
  }
}

lockfile.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
writeFileSync(file, `${JSON.stringify(lockfile, undefined, 2)}\n`);
