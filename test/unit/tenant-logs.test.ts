import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createTenantLogs } from '../../src/util/tenant-logs.js';

test('a log has what was said until its run has ended, in order, and nothing after', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'logs-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const logs = createTenantLogs(directory, 'run');
  logs.write('acme', 'one');
  logs.write('acme', 'two\n');
  await logs.close();
  logs.write('acme', 'three');
  logs.write('globex', 'four');
  await logs.close();
  expect(await readdir(path.join(directory, 'run'))).toEqual(['acme.log']);
  expect(await readFile(path.join(directory, 'run', 'acme.log'), 'utf8')).toBe('one\ntwo\n');
  expect(logs.pathOf('globex')).toBeNull();
});
