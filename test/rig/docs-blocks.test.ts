import { expect, test } from 'vitest';
import { matchesShown, readBlocks, toScript } from './docs-blocks.js';

test('finds blocks with their language and line, also in lists and within longer fences', () => {
  const markdown = 'Text\n\n```bash\nls\n```\n\n- item\n  ```console\n  out\n  ```\n\n````md\n```bash\nnot run\n```\n````\n';
  expect(readBlocks(markdown)).toEqual([
    { info: 'bash', text: 'ls', line: 3 },
    { info: 'console', text: '  out', line: 8 },
    { info: 'md', text: '```bash\nnot run\n```', line: 12 },
  ]);
});

test('a line may say how it exits', () => {
  expect(toScript({ info: 'bash', text: 'false  # exits 1', line: 1 })).toContain('{ false; } || status=$?; [ "$status" -eq 1 ]');
});

test('an ellipsis stands for the rest of a line, or for lines', () => {
  expect(matchesShown('acme  active  …\n…\n2 tenants', 'acme  active  <time>\nglobex  active\n\n2 tenants\n')).toBe(true);
  expect(matchesShown('acme  active', 'acme  failed')).toBe(false);
});
