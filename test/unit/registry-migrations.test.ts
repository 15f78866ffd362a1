import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { repositoryRoot } from '../rig/cli.js';

const folder = path.join(repositoryRoot, 'migrations/registry');

test.each(readdirSync(folder))('each migration of the registry on %s has a number of its own', (engine) => {
  const numbers = readdirSync(path.join(folder, engine)).map((file) => file.slice(0, 4));
  expect(numbers).toEqual([...new Set(numbers)]);
});

test.each(['postgres', 'mysql'])('every event of the registry on %s is chained', (store) => {
  const sources = path.join(repositoryRoot, 'src/registry', store);
  const unchained = readdirSync(sources)
    .filter((file) => file.endsWith('.ts') && file !== 'log-events.ts')
    .flatMap((file) => {
      const inserts = readFileSync(path.join(sources, file), 'utf8').match(/INSERT INTO tenancy[._]events \([^)]*\)/g) ?? [];
      // PostgreSQL's trigger chains them, and has to be told who acts.
      return inserts.filter((insert) => store === 'mysql' || !insert.includes('actor')).map((insert) => `${file}: ${insert}`);
    });
  expect(unchained).toEqual([]);
});
