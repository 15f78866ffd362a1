import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { findServer, layOut } from '../../src/embedded/layout.js';

test('a database that is renamed into its place while it is looked for is there or not, and never damaged', async (scope) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'tenancy-'));
  scope.onTestFinished(() => rmSync(directory, { recursive: true }));
  const { server, record, password } = layOut(directory);
  const making = path.join(directory, 'making-1');
  mkdirSync(server);
  writeFileSync(record, JSON.stringify({ id: 'tenancy-1', way: 'direct', port: 1 }));
  writeFileSync(password, 'secret\n');

  const found: boolean[] = [];
  for (let round = 0; round < 400; round += 1) {
    renameSync(server, making);
    const looking = findServer(directory);
    for (let turns = 0; turns < round % 8; turns += 1) await turn();
    renameSync(making, server);
    found.push((await looking) !== undefined);
  }
  expect(new Set(found)).toEqual(new Set([true, false]));
});
