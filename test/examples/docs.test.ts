import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { beforeAll, expect, test } from 'vitest';
import { cleanEnvironment, ensureBuilt, normaliseOutput, repositoryRoot } from '../rig/cli.js';
import { type DocsBlock, matchesShown, readBlocks, toScript } from '../rig/docs-blocks.js';
import { createTestDatabase } from '../rig/postgres.js';
import type { PostgresVersion } from '../rig/private-server.js';
import { describeOn } from '../rig/require.js';

const files = ['README.md', 'CONTRIBUTING.md', ...listDocs()].filter((file) => existsSync(path.join(repositoryRoot, file)));

function listDocs(): string[] {
  const docs = path.join(repositoryRoot, 'docs');
  return existsSync(docs)
    ? readdirSync(docs)
        .filter((name) => name.endsWith('.md'))
        .map((name) => `docs/${name}`)
    : [];
}

beforeAll(ensureBuilt);

const documents = files.map((file) => {
  const text = readFileSync(path.join(repositoryRoot, file), 'utf8');
  return { file, text, blocks: readBlocks(text) };
});

test('every block of commands is one that is run', () => {
  const evading = documents.flatMap(({ file, blocks }) =>
    blocks.filter(({ info }) => /^(sh|shell|zsh|bash\s)/.test(info)).map(({ info, line }) => `${file}:${line}: ${info}, not bash`),
  );
  expect(evading).toEqual([]);
});

const runnable = documents.filter(({ blocks }) => blocks.some(({ info }) => info === 'bash'));

/** Said in a comment of the page. Debian's pg_dump is of PostgreSQL 15, and no older one dumps a newer server. */
const needsClient = (text: string): boolean => text.includes('are run with postgresql-client');

const plain = runnable.filter(({ text }) => !needsClient(text));
const withClient = runnable.filter(({ text }) => needsClient(text));

test.each(plain)('the commands of $file do what it says', { timeout: 300_000 }, (page) => runPage(page, '18'));

describeOn('postgresql-client', () => {
  test.each(withClient)('the commands of $file do what it says', { timeout: 300_000 }, (page) => runPage(page, '15'));
});

async function runPage({ file, blocks }: (typeof runnable)[number], version: PostgresVersion): Promise<void> {
  const project = copyRepository();
  const database = blocks.some(({ text }) => text.includes('DATABASE_URL')) ? await createTestDatabase(version) : undefined;
  const env = {
    ...cleanEnvironment(),
    PATH: `${path.join(repositoryRoot, 'test/rig/docs-path')}${path.delimiter}${process.env.PATH}`,
    DOCS_NODE: process.execPath,
    DOCS_REPOSITORY: repositoryRoot,
    DOCS_PROJECT: project,
    ...(database && { DATABASE_URL: database.url }),
  };
  let cwd = project;
  try {
    for (const [index, block] of blocks.entries()) {
      if (block.info !== 'bash') continue;
      const result = await runBlock(block, cwd, env);
      expect(result.exitCode, `${file}:${block.line}\n${block.text}\n${result.output}`).toBe(0);
      cwd = result.cwd;
      const next = blocks[index + 1];
      if (next?.info === 'console') expectShown(file, next, result.output, project);
    }
  } finally {
    await stopServers(project, env);
    rmSync(project, { recursive: true, force: true });
    await database?.drop();
  }
}

/** One shell a block; the next one goes on in the folder where it ended, without its variables. */
async function runBlock(
  block: DocsBlock,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ exitCode: number; output: string; cwd: string }> {
  const lastFolder = path.join(env.TMPDIR ?? os.tmpdir(), `project-docs-folder-${process.pid}`);
  const script = `trap 'pwd >"${lastFolder}"' EXIT\n${toScript(block)}`;
  const result = await execa('bash', ['-c', script], {
    cwd,
    env,
    extendEnv: false,
    reject: false,
    all: true,
    timeout: 120_000,
    stdin: 'ignore',
  });
  return { exitCode: result.exitCode ?? 99, output: result.all, cwd: readFileSync(lastFolder, 'utf8').trim() };
}

function expectShown(file: string, block: DocsBlock, output: string, project: string): void {
  const normalise = (text: string): string => normaliseOutput(text, { [project]: '<project>' });
  if (!matchesShown(normalise(block.text), normalise(output))) {
    expect(normalise(output), `${file}:${block.line} shows something else`).toBe(normalise(block.text));
  }
}

/** The repository as a newcomer has it after `npm ci`. */
function copyRepository(): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'project-docs-'));
  const isCopied = (source: string): boolean =>
    !['.git', 'node_modules', 'dist', '.tenancy', 'test'].includes(path.relative(repositoryRoot, source).split(path.sep)[0] ?? '');
  cpSync(repositoryRoot, directory, { recursive: true, filter: isCopied });
  for (const name of ['node_modules', 'dist']) symlinkSync(path.join(repositoryRoot, name), path.join(directory, name), 'dir');
  return directory;
}

/** A page may start a server and leave it up, as its reader would. */
async function stopServers(project: string, env: Readonly<Record<string, string>>): Promise<void> {
  const folders = readdirSync(project, { recursive: true, encoding: 'utf8' }).filter((name) => path.basename(name) === '.tenancy');
  for (const folder of folders) {
    const cwd = path.dirname(path.join(project, folder));
    await execa(process.execPath, [path.join(repositoryRoot, 'bin/tenancy.js'), 'embedded', 'stop'], {
      cwd,
      env,
      extendEnv: false,
      reject: false,
    });
  }
}
