import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SCORECARD } from '../rig/scorecard.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const faults = `${root}/test/faults`;
const sources = readdirSync(faults)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(`${faults}/${name}`, 'utf8'));
const page = readFileSync(`${root}/docs/reliability.md`, 'utf8');

describe.each(Object.keys(SCORECARD))('number %s of the scorecard', (number) => {
  it('has a test whose name begins with it', () => {
    const begins = new RegExp(`\\(\\s*['"\`]${number} [a-zA-Z]`);
    expect(sources.some((source) => begins.test(source))).toBe(true);
  });

  it('is claimed in docs/reliability.md, with the command that proves it', () => {
    expect(page).toContain(`\`npm run test:faults ${number}\``);
  });
});
