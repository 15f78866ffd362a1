import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import YAML from 'yaml';
import { writeGated } from '../cli/gated-workers.js';
import { createScene, createSceneGate, readJsonRun } from '../cli/scene.js';
import { type CliResult, repositoryRoot, type StartedCli } from '../rig/cli.js';
import { readBlocks } from '../rig/docs-blocks.js';
import { createProcessGate, until } from '../rig/gate.js';
import { findModernNode } from '../rig/modern-node.js';

const node = await findModernNode();
if (node === null) console.log('not run: the workers of docs/fleet.md (pg-boss needs Node.js 22.12, and npx -p node@24 brought none)');

const BIN = './node_modules/.bin/tenancy';

interface Manifest {
  readonly kind: string;
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly { readonly command: readonly string[] }[] } } };
}

/** What the page's section on workers has the reader start, by where it stands. */
function readCommands(): { readonly unit: string[]; readonly deployment: string[]; readonly job: string[]; readonly typed: string[][] } {
  const page = readFileSync(path.join(repositoryRoot, 'docs/fleet.md'), 'utf8');
  const section = /\n## Workers\n[\s\S]*?(?=\n## )/.exec(page)?.[0] ?? '';
  const blocks = readBlocks(section);
  const typed = blocks.filter(({ info }) => info === 'text').flatMap(({ text }) => text.split('\n'));
  const manifests = YAML.parseAllDocuments(blocks.find(({ info }) => info === 'yaml')?.text ?? '').map((each) => each.toJS() as Manifest);
  const commandOf = (kind: string): string[] => {
    const [bin, ...args] = manifests.find((each) => each.kind === kind)?.spec.template.spec.containers[0]?.command ?? [];
    expect(bin, kind).toBe(BIN);
    return args;
  };
  const started = /^ExecStart=\S*\/node_modules\/\.bin\/tenancy (.*)$/m.exec(blocks.find(({ info }) => info === 'ini')?.text ?? '');
  return {
    unit: (started?.[1] ?? '').split(' '),
    deployment: commandOf('Deployment'),
    job: commandOf('Job'),
    typed: typed.filter((line) => line.startsWith('tenancy ')).map((line) => line.split(' ').slice(1)),
  };
}

test.skipIf(node === null)('the workers of docs/fleet.md carry out the runs that it shows', { timeout: 120_000 }, async (scope) => {
  const { unit, deployment, job, typed } = readCommands();
  const [worker = [], migrate = [], ...controls] = typed;
  expect([worker[0], migrate.slice(0, 2).join(' ')]).toEqual(['worker', 'tenant migrate']);
  expect(controls.map((args) => args.join(' '))).toEqual(['run follow last', 'run pause last', 'run resume last', 'run cancel last']);
  const scene = await createScene(scope, { concurrency: 1 });
  await scene.ok(['tenant', 'provision', 'acme', 'globex', 'initech']);
  const modern = { node: node ?? '', timeoutMs: 110_000 };
  const startWorker = async (args: readonly string[]): Promise<StartedCli> => {
    const started = await scene.start(args, modern);
    scope.onTestFinished(async () => started.kill('SIGKILL'));
    let said = '';
    started.stderr.on('data', (chunk) => (said += String(chunk)));
    await until(() => said.includes('waiting for runs on main'), 'a worker to be ready', 60_000);
    return started;
  };
  const stopWorker = async (started: StartedCli): Promise<CliResult> => {
    started.kill('SIGTERM');
    return started.result;
  };
  // They have the migrations of their start: those of an old deploy leave a new run alone.
  const old = await Promise.all([unit, deployment, worker].map(startWorker));
  for (const [index, [served, begun]] of [[unit, migrate] as const, [deployment, job] as const].entries()) {
    await scene.write(`migrations/000${index + 2}_more.sql`, `CREATE TABLE more_${index} (id int);\n`);
    const fresh = await startWorker(served);
    expect((await scene.ok(begun, modern)).stdout).toMatch(/3 migrated/);
    const { exitCode, stdout, stderr } = await stopWorker(fresh);
    expect([exitCode, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining('acme')]);
  }
  const gate = await createProcessGate();
  scope.onTestFinished(() => gate.open());
  await scene.write('migrations/0009_gated.mjs', writeGated(gate));
  const fresh = await startWorker(worker);
  const follower = await scene.start(migrate, modern);
  await gate.waiting(1);
  const [follow = [], ...asked] = controls;
  const joined = await scene.start(follow, modern);
  let told = '';
  joined.stderr.on('data', (chunk) => (told += String(chunk)));
  let said = '';
  fresh.stderr.on('data', (chunk) => (said += String(chunk)));
  for (const args of asked) await scene.ok(args, modern);
  await until(() => said.includes('cancelled by'), 'the worker to hear of it');
  await gate.open();
  expect((await follower.result).exitCode).toBe(130);
  expect([(await joined.result).exitCode, told]).toEqual([130, expect.stringContaining('paused by')]);
  await stopWorker(fresh);
  const ended = await Promise.all(old.map(stopWorker));
  expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
  for (const { stdout, stderr } of ended) expect(`${stdout}${stderr}`).not.toContain('acme');
});

test('the controls of docs/fleet.md hold, go on with and end a run that is under way', { timeout: 120_000 }, async (scope) => {
  const page = readFileSync(path.join(repositoryRoot, 'docs/fleet.md'), 'utf8');
  const section = /\n## Pausing, resuming, cancelling\n[\s\S]*?(?=\n## )/.exec(page)?.[0] ?? '';
  const [block] = readBlocks(section).filter(({ info }) => info === 'text');
  const controls = (block?.text ?? '')
    .trim()
    .split('\n')
    .map((line) => line.replace(/ +#.*/, '').split(' ').slice(1));
  expect(controls.map((args) => args.join(' '))).toEqual(['run pause last', 'run resume last', 'run cancel last', 'run cancel last --now']);
  const scene = await createScene(scope);
  await scene.ok(['tenant', 'provision', 'acme', 'globex', 'initech']);
  const gate = await createSceneGate(scope, scene);
  await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
  const run = await scene.start(['tenant', 'migrate', '--all', '--concurrency', '1', '--json']);
  await gate.waiting(1);
  for (const args of controls) await scene.ok(args);
  const { exitCode, finished } = readJsonRun(await run.result);
  expect([exitCode, finished.counts]).toEqual([130, expect.objectContaining({ applied: 0, cancelled: 1, 'not-started': 2 })]);
});
