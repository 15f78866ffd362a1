import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { query, withDatabase } from './fleet-project.js';
import type { PresetSample } from './preset-samples.js';

/** A project whose tenants have had the first migration of somebody else's migrator. */
export interface PresetProject {
  readonly directory: string;
  idOf(index: number): string;
  /** The text of a config whose migrator is this expression. */
  config(migrator: string): string;
  /** Wall-clock time, and the CPU time of the command with all that it started. */
  run(args: readonly string[]): Promise<{ readonly ms: number; readonly cpuS: number }>;
  remove(): Promise<void>;
}

export interface PresetProjectOptions {
  readonly root: string;
  /** Of the PostgreSQL with the registry, and with the tenants where the sample says nothing else. */
  readonly serverUrl: string;
  readonly mongoUrl: string;
  readonly sample: PresetSample;
  readonly tenants: number;
  readonly concurrency: number;
}

let made = 0;

export async function createPresetProject(options: PresetProjectOptions): Promise<PresetProject> {
  const { root, serverUrl, mongoUrl, sample, tenants, concurrency } = options;
  made += 1;
  const name = `bench_presets_${process.pid}_${made}`;
  const url = withDatabase(serverUrl, name);
  const directory = await mkdtemp(path.join(os.tmpdir(), 'tenancy-bench-'));
  const modules = path.join(directory, 'node_modules');
  await query(serverUrl, `CREATE DATABASE ${name}`);
  await mkdir(modules);
  await symlink(root, path.join(modules, 'tenancy-cli'));
  for (const library of [...sample.packages, '.bin']) await symlink(path.join(root, 'node_modules', library), path.join(modules, library));
  await writeFile(path.join(directory, 'package.json'), '{ "type": "module" }\n');

  const isMongo = sample.engine === 'mongodb';
  const placement = isMongo
    ? { cluster: 'main', driver: 'mongodb-database', name: `${name}_{id}` }
    : { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' };
  const config = (migrator: string): string => `import { defineConfig } from 'tenancy-cli';
import * as presets from 'tenancy-cli/hooks';
export default defineConfig({
  registry: { url: process.env.BENCH_REGISTRY_URL },
  clusters: { main: { url: process.env.BENCH_URL, concurrency: ${concurrency} } },
  placement: ${JSON.stringify(placement)},
  hooks: { migrate: ${migrator} },
});
`;
  const run: PresetProject['run'] = async (args) => {
    const startedMs = performance.now();
    const script = '"$@"; code=$?; times; exit $code';
    const { exitCode, stdout, stderr } = await execa(
      'bash',
      ['-c', script, 'bash', process.execPath, path.join(root, 'bin/tenancy.js'), ...args],
      {
        cwd: directory,
        env: {
          BENCH_REGISTRY_URL: url,
          BENCH_URL: isMongo ? mongoUrl : url,
          NODE_EXTRA_CA_CERTS: undefined,
          NODE_OPTIONS: undefined,
          NO_COLOR: '1',
        },
        stdin: 'ignore',
        reject: false,
      },
    );
    const ms = performance.now() - startedMs;
    if (exitCode !== 0) throw new Error(`${sample.name}: ${args.join(' ')} exited with ${exitCode}:\n${stderr.slice(-2_000)}`);
    return { ms, cpuS: readChildrenTimes(stdout) };
  };
  const idOf = (index: number): string => `t${String(index).padStart(4, '0')}`;

  await writeFile(path.join(directory, 'tenancy.config.mjs'), config(sample.migrator));
  for (const [file, text] of Object.entries(sample.files)) await writeFile(path.join(directory, file), text);
  await sample.write(directory, 1, 'make');
  await run(['tenant', 'provision', ...Array.from({ length: tenants }, (_, index) => idOf(index)), '--quiet']);
  return {
    directory,
    idOf,
    config,
    run,
    remove: async () => {
      await query(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The last line of bash's `times`: user and system time of all its children, theirs included: `0m1.234s 0m0.200s`. */
function readChildrenTimes(stdout: string): number {
  const words =
    stdout
      .trimEnd()
      .split('\n')
      .at(-1)
      ?.match(/\d+m[\d.]+s/g) ?? [];
  return words.reduce((sum, word) => {
    const [minutes = 0, seconds = 0] = word.slice(0, -1).split('m').map(Number);
    return sum + minutes * 60 + seconds;
  }, 0);
}
