import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { repositoryRoot } from '../rig/cli.js';

test('docs/benchmarks.md names every benchmark that can be run', async () => {
  const read = (file: string): Promise<string> => readFile(path.join(repositoryRoot, file), 'utf8');
  const [, table = ''] = /const benchmarks = \{\n([\s\S]*?)\n\};/.exec(await read('test/bench/main.ts')) ?? [];
  const names = [...table.matchAll(/^ {2}'?([\w-]+)'?:/gm)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThan(5);
  const [intro = ''] = (await read('docs/benchmarks.md')).split('\n## ');
  expect(names.filter((name) => !intro.includes(`\`${name}\``))).toEqual([]);
});
