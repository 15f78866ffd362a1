import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findStarter, tryStartLock } from '../../src/embedded/start-lock.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'start-lock-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** The name that a lock file of this very process has. */
async function readOwnName(): Promise<string> {
  const lock = await tryStartLock(directory);
  const [name = ''] = await readdir(directory);
  await lock?.release();
  return name;
}

test('is held by one at a time, and tells by whom', async () => {
  const lock = await tryStartLock(directory);
  expect(lock).toBeDefined();
  expect(await tryStartLock(directory)).toBeUndefined();
  expect(await findStarter(directory)).toBe(process.pid);
  await lock?.release();
  expect(await readdir(directory)).toEqual([]);
  expect(await findStarter(directory)).toBeUndefined();
  await (await tryStartLock(directory))?.release();
});

test('passes over what the dead left, and sweeps it away', async () => {
  const own = await readOwnName();
  const dead = [
    own.replace(/^starting-\d+/, 'starting-4194301'),
    own.replace(/^(starting-\d+)-\d+/, '$1-1'),
    own.replace(/-[0-9a-f]+(-[0-9a-f]+)$/, '-0123456789$1'),
  ];
  for (const name of process.platform === 'linux' ? dead : dead.slice(0, 1)) await writeFile(path.join(directory, name), '');
  await writeFile(path.join(directory, 'starting-point.txt'), 'not a lock');
  const lock = await tryStartLock(directory);
  expect(lock).toBeDefined();
  expect(await readdir(directory)).toHaveLength(2);
  expect(await readFile(path.join(directory, 'starting-point.txt'), 'utf8')).toBe('not a lock');
  await lock?.release();
});

test('is never held twice, and by each in turn, however many try', async () => {
  let holders = 0;
  let most = 0;
  const contend = async (): Promise<void> => {
    let lock = await tryStartLock(directory);
    while (lock === undefined) {
      await delay(Math.random() * 5);
      lock = await tryStartLock(directory);
    }
    holders += 1;
    most = Math.max(most, holders);
    await delay(1);
    holders -= 1;
    await lock.release();
  };
  await Promise.all(Array.from({ length: 20 }, contend));
  expect(most).toBe(1);
  expect(await readdir(directory)).toEqual([]);
});
