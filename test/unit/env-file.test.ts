import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadEnvFiles } from '../../src/config/env-file.js';
import { failure } from './config-rig.js';

describe('env files', () => {
  it('add what is not set, the later before the earlier', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'tenancy-env-'));
    await writeFile(path.join(directory, 'a'), '\uFEFFA=1\nB="two words" # x\nC=1\n');
    await writeFile(path.join(directory, 'b'), 'C=2\n');
    expect(await loadEnvFiles(directory, ['a', 'b'], { A: 'set', D: undefined })).toEqual({ A: 'set', B: 'two words', C: '2' });
    await rm(directory, { recursive: true });
  });

  it('that are missing are named', async () => {
    expect(await failure(loadEnvFiles('/nonexistent', ['.env'], {}))).toBe(
      "the env file /nonexistent/.env can't be read: there is no such file",
    );
  });
});
