import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadMigrations } from '../../src/migrations/source.js';

const deps = { importModule: () => Promise.reject(new Error('not imported here')) };

describe('migrations that are loaded again', () => {
  let root: string;
  const load = () => loadMigrations({ directory: 'migrations', root }, deps);
  const write = (file: string, text: string): Promise<void> => writeFile(path.join(root, 'migrations', file), text);
  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'source-'));
    await mkdir(path.join(root, 'migrations'));
    await write('0001_a.sql', 'CREATE TABLE a ();');
    await write('0002_b.sql', 'CREATE TABLE b ();');
  });
  afterEach(() => rm(root, { recursive: true, maxRetries: 5 }));

  it('are the same objects where nothing has changed', async () => {
    expect(await load()).toBe(await load());
  });

  it('are read anew where a file was edited to the same length and given its old time, added, renamed or removed', async () => {
    const first = await load();
    const past = new Date('2020-01-01T00:00:00Z');
    await write('0001_a.sql', 'CREATE TABLE z ();');
    await utimes(path.join(root, 'migrations/0001_a.sql'), past, past);
    const edited = await load();
    expect(edited[0]?.checksum).not.toBe(first[0]?.checksum);
    await write('0003_c.sql', 'CREATE TABLE c ();');
    expect((await load()).map(({ name }) => name)).toEqual(['0001_a', '0002_b', '0003_c']);
    await rename(path.join(root, 'migrations/0003_c.sql'), path.join(root, 'migrations/0004_d.sql'));
    expect((await load()).map(({ name }) => name)).toEqual(['0001_a', '0002_b', '0004_d']);
    await rm(path.join(root, 'migrations/0002_b.sql'));
    expect((await load()).map(({ name }) => name)).toEqual(['0001_a', '0004_d']);
  });

  it('are read each time where what they hold is behind a link', async () => {
    await mkdir(path.join(root, 'elsewhere'));
    await writeFile(path.join(root, 'elsewhere/0003_c.sql'), 'CREATE TABLE c ();');
    await symlink(path.join(root, 'elsewhere/0003_c.sql'), path.join(root, 'migrations/0003_c.sql'));
    expect(await load()).not.toBe(await load());
  });

  it('that can not be loaded are tried again', async () => {
    await write('0003_c.sql', '');
    await expect(load()).rejects.toThrow('it is empty');
    await write('0003_c.sql', 'CREATE TABLE c ();');
    expect(await load()).toHaveLength(3);
  });
});
