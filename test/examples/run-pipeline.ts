import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { parse } from 'yaml';
import { cleanEnvironment, repositoryRoot } from '../rig/cli.js';
import { readBlocks } from '../rig/docs-blocks.js';

/** A machine of a CI system, as far as our jobs need one: a checkout for each job, variables, and a store for the files that jobs hand on. */
export interface Ci {
  /** Of the project; each job gets a copy as it is when the job begins. */
  readonly repository: string;
  readonly secrets: Readonly<Record<string, string>>;
  /** Where artifacts are kept, a folder for each job or name. */
  readonly store: string;
  /** Told of each script that begins, for tests that signal it as the system's own cancelling does. */
  readonly onScript?: (script: RunningScript) => void;
  remove(): Promise<void>;
}

export interface RunningScript {
  readonly cwd: string;
  /** Sends it to the shell alone, as GitHub's runner does. */
  kill(signal: NodeJS.Signals): void;
}

export interface JobResult {
  readonly exitCode: number;
  readonly output: string;
  /** The checkout as the job left it. */
  readonly directory: string;
}

export interface Step {
  readonly run?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly if?: string;
}

export interface GithubJob {
  readonly needs?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly (string | number)[]>> };
  readonly steps: readonly Step[];
}

export interface GitlabPipeline {
  readonly stages: readonly string[];
  readonly default: { readonly before_script: readonly string[] };
  readonly jobs: Readonly<Record<string, GitlabJob>>;
}

export interface GitlabJob {
  readonly stage: string;
  readonly parallel?: number;
  readonly script: readonly string[];
  readonly allow_failure?: { readonly exit_codes: number };
  readonly artifacts?: { readonly paths?: readonly string[]; readonly reports?: { readonly junit?: string } };
}

export async function readGithubWorkflow(): Promise<{ readonly jobs: Readonly<Record<string, GithubJob>> }> {
  return (await readShown('.github/workflows/tenants.yml')) as { jobs: Record<string, GithubJob> };
}

export async function readGitlabPipeline(): Promise<GitlabPipeline> {
  const {
    stages,
    default: defaults,
    image: _,
    ...jobs
  } = (await readShown('.gitlab-ci.yml')) as Record<string, GitlabJob> & Pick<GitlabPipeline, 'stages' | 'default'>;
  return { stages, default: defaults, jobs };
}

/** The file that the page on fleets shows under this name. */
async function readShown(file: string): Promise<unknown> {
  const blocks = readBlocks(await readFile(path.join(repositoryRoot, 'docs/fleet.md'), 'utf8'));
  const block = blocks.find(({ info, text }) => info === 'yaml' && text.startsWith(`# ${file}\n`));
  if (block === undefined) throw new Error(`docs/fleet.md shows no ${file}`);
  return parse(block.text);
}

export async function createCi(repository: string, secrets: Readonly<Record<string, string>>): Promise<Ci> {
  const store = await mkdtemp(path.join(os.tmpdir(), 'project-artifacts-'));
  return { repository, secrets, store, remove: () => rm(store, { recursive: true, force: true }) };
}

/** Runs each job of the matrix, all at once: in the order of the matrix. */
export async function runGithubJob(ci: Ci, job: GithubJob): Promise<JobResult[]> {
  const [[name = '', values = []] = []] = Object.entries(job.strategy?.matrix ?? {});
  const variants = name === '' ? [{}] : values.map((value) => ({ [`matrix.${name}`]: String(value) }));
  return Promise.all(variants.map((variant) => runSteps(ci, job, variant)));
}

async function runSteps(ci: Ci, job: GithubJob, variant: Readonly<Record<string, string>>): Promise<JobResult> {
  const directory = await checkOut(ci);
  const secrets = Object.fromEntries(Object.entries(ci.secrets).map(([name, value]) => [`secrets.${name}`, value]));
  const fill = (text: string): string => fillIn(text, { ...variant, ...secrets });
  const env = Object.fromEntries(Object.entries(job.env ?? {}).map(([name, value]) => [name, fill(value)]));
  env['GITHUB_STEP_SUMMARY'] = path.join(directory, 'summary.md');
  let exitCode = 0;
  let output = '';
  for (const step of job.steps) {
    if (exitCode !== 0 && step.if !== 'always()') continue;
    if (step.run === undefined) await useAction(ci, directory, step, fill);
    else {
      const ended = await runScript(ci, fill(step.run), directory, env);
      output += ended.output;
      exitCode ||= ended.exitCode;
    }
  }
  return { exitCode, output, directory };
}

/** `${{ secrets.MAIN_URL }}`; one that nobody has set would be empty on GitHub, and is an error here. */
function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{\{\s*([\w.]+)\s*\}\}/g, (expression, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${expression} is not known`);
    return value;
  });
}

async function useAction(ci: Ci, directory: string, step: Step, fill: (text: string) => string): Promise<void> {
  const given = (name: string): string => fill(String(step.with?.[name]));
  const [action = ''] = step.uses?.split('@') ?? [];
  if (action === 'actions/checkout' || action === 'actions/setup-node') return;
  if (action === 'actions/upload-artifact') {
    const kept = path.join(ci.store, given('name'));
    // Version 4 refuses a name that the run has already, and a job that is re-run is in the same run.
    if (existsSync(kept) && step.with?.['overwrite'] !== true) throw new Error(`there is an artifact ${given('name')} already`);
    await keep(directory, [given('path')], kept);
  } else if (action === 'actions/download-artifact' && step.with?.['merge-multiple'] === true) {
    const wanted = toPattern(given('pattern'));
    for (const name of await readdir(ci.store)) {
      if (wanted.test(name)) await cp(path.join(ci.store, name), directory, { recursive: true });
    }
  } else throw new Error(`${step.uses} is not known`);
}

/** Runs each of the parallel jobs, all at once, with what the jobs of other stages have kept. */
export async function runGitlabJob(ci: Ci, name: string, job: GitlabJob, before: readonly string[]): Promise<JobResult[]> {
  const count = job.parallel ?? 1;
  const one = async (index: number): Promise<JobResult> => {
    const directory = await checkOut(ci);
    for (const kept of await readdir(ci.store)) {
      if (!kept.startsWith(`${name}-`)) await cp(path.join(ci.store, kept), directory, { recursive: true });
    }
    const env = { ...ci.secrets, ...(job.parallel && { CI_NODE_INDEX: String(index), CI_NODE_TOTAL: String(count) }) };
    const ended = await runScript(ci, [...before, ...job.script].join('\n'), directory, env);
    const { paths = [], reports } = job.artifacts ?? {};
    // GitLab keeps a report for itself, and hands on only the paths.
    await keep(directory, reports?.junit === undefined ? [] : [reports.junit], path.join(directory, '.reports'));
    await keep(directory, paths, path.join(ci.store, `${name}-${index}`));
    return { ...ended, directory };
  };
  return Promise.all(Array.from({ length: count }, (_, index) => one(index + 1)));
}

/** With `npm ci` done but for the download, which the docs' own `npm` leaves out too. */
async function checkOut({ repository, store }: Ci): Promise<string> {
  const directory = await mkdtemp(path.join(path.dirname(store), 'project-checkout-'));
  await cp(repository, directory, { recursive: true, verbatimSymlinks: true });
  const bins = path.join(directory, 'node_modules/.bin');
  await mkdir(bins, { recursive: true });
  await symlink(path.join(repositoryRoot, 'bin/tenancy.js'), path.join(bins, 'tenancy'));
  return directory;
}

/** As both systems run a script: one shell, which ends at the first command that fails. */
async function runScript(
  ci: Ci,
  script: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ exitCode: number; output: string }> {
  const file = path.join(cwd, '.script.sh');
  await writeFile(file, script);
  const folders = [path.join(repositoryRoot, 'test/rig/docs-path'), path.dirname(process.execPath), process.env.PATH];
  const child = execa('bash', ['--noprofile', '--norc', '-eo', 'pipefail', file], {
    cwd,
    env: {
      ...cleanEnvironment(),
      PATH: folders.join(path.delimiter),
      DOCS_NODE: process.execPath,
      DOCS_REPOSITORY: repositoryRoot,
      CI: 'true',
      ...env,
    },
    extendEnv: false,
    reject: false,
    all: true,
    stdin: 'ignore',
    timeout: 120_000,
    // What is told to end is to take its time.
    forceKillAfterDelay: false,
  });
  ci.onScript?.({ cwd, kill: (signal) => void child.kill(signal) });
  const result = await child;
  return { exitCode: result.exitCode ?? 99, output: result.all };
}

/** Files by their names or by a pattern for names; that there are none is an error, as it would be for whoever waits for them. */
async function keep(directory: string, patterns: readonly string[], target: string): Promise<void> {
  const names = await readdir(directory);
  for (const pattern of patterns) {
    const found = names.filter((name) => toPattern(pattern).test(name) && existsSync(path.join(directory, name)));
    if (found.length === 0) throw new Error(`the job has left no ${pattern}`);
    for (const name of found) await cp(path.join(directory, name), path.join(target, name));
  }
}

function toPattern(glob: string): RegExp {
  return new RegExp(`^${glob.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
}
