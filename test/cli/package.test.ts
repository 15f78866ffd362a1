import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import ts from 'typescript';
import { beforeAll, expect, test } from 'vitest';
import { ensureBuilt, repositoryRoot } from '../rig/cli.js';
import { createProject } from '../rig/project.js';

const dist = path.join(repositoryRoot, 'dist');

beforeAll(ensureBuilt);

test('the built program imports nothing but Node, what it depends on and what is optional', () => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(path.join(repositoryRoot, 'package.json'), 'utf8'));
  const named = readdirSync(dist)
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) => ts.preProcessFile(readFileSync(path.join(dist, name), 'utf8'), true, false).importedFiles)
    .map(({ fileName }) => fileName)

    // The scanner also takes some text for names.
    .filter((name) => /^[@a-z]/.test(name) && !name.startsWith('node:'));
  const strangers = new Set(named.filter((name) => !builtinModules.includes(name.split('/')[0] ?? '')));
  const known = [...Object.keys(dependencies), ...Object.keys(peerDependencies)];
  // cosmiconfig and pg try these in branches that are never taken.
  expect([...strangers].filter((name) => ![...known, 'typescript', 'pg-native'].includes(name))).toEqual([]);
});

test('the licences of what is bundled are passed on', () => {
  const licenses = readFileSync(path.join(dist, 'THIRD_PARTY_LICENSES.txt'), 'utf8');
  for (const name of ['execa', 'pg', 'zod']) expect(licenses).toMatch(new RegExp(`^${name} \\d+\\.\\d+`, 'm'));
});

test('both entry points and the command line share one TenancyError', async () => {
  const project = await createProject({
    files: {
      'same.mjs': `import { TenancyError } from 'tenancy-cli';
        import { postgresSchema } from 'tenancy-cli/hooks';
        try {
          await postgresSchema.drop()({ driver: { name: 'postgres-database' }, tenant: { id: 'acme' } });
        } catch (error) {
          console.log(error instanceof TenancyError, error.code);
        }`,
    },
  });
  const { stdout } = await execa(process.execPath, ['same.mjs'], { cwd: project.directory });
  expect(stdout).toMatch(/^true TENANCY_/);
  await project.remove();
});

test('without its build the program says how to build it', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'unbuilt-'));
  cpSync(path.join(repositoryRoot, 'bin'), path.join(directory, 'bin'), { recursive: true });
  cpSync(path.join(repositoryRoot, 'package.json'), path.join(directory, 'package.json'));
  const { exitCode, stderr } = await execa(process.execPath, ['bin/tenancy.js', '--help'], { cwd: directory, reject: false });
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: 'tenancy is not built yet: npm run build' });
  await rm(directory, { recursive: true });
});
