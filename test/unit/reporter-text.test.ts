import { describe, expect, test } from 'vitest';
import { TenancyError } from '../../src/errors.js';
import type { RunEvent } from '../../src/events.js';
import { describeDraining, describeError, describeEvent, describeOutcome } from '../../src/reporters/describe.js';
import { formatCount, formatDuration, formatNumber, formatSome } from '../../src/reporters/format.js';
import { sanitizeLine, sanitizeLines } from '../../src/reporters/sanitize.js';
import { fitWidth, measureWidth, truncate } from '../../src/reporters/terminal-text.js';

describe('text from elsewhere', () => {
  test.each([
    ['an escape sequence', 'a\u001b[2Jb\u001b[31mc', 'abc'],
    ['the title of the window', 'a\u001b]0;owned\u0007b', 'ab'],
    ['a link', '\u001b]8;;http://x\u001b\\text\u001b]8;;\u001b\\', 'text'],
    ['an escape cut short', 'a\u001b', 'a�'],
    ['a C1 sequence', 'a\u009b2Jb', 'a�2Jb'],
    ['line breaks', 'a\r\nb\tc', 'a b c'],
    ['a bell and a backspace', 'a\u0007\u0008b', 'a��b'],
    ['text turned round', 'a\u202eb', 'a�b'],
    ['what is plain', 'Zürich 株式会社 ✔', 'Zürich 株式会社 ✔'],
  ])('loses %s', (_what, text, safe) => {
    expect(sanitizeLine(text)).toBe(safe);
  });

  test('keeps its lines where it may have several', () => {
    expect(sanitizeLines('one\r\n\ttwo\u001b[1A')).toEqual(['one', '  two']);
  });
});

test.each([
  ['acme', 'acme: it shares the login', 'acme: it shares the login'],
  ['acme', 'acme has 2 migrations newer', 'acme has 2 migrations newer'],
  ['a', 'acme has 2 migrations newer', 'a: acme has 2 migrations newer'],
  ['acme', 'tenant_acme was not there', 'acme: tenant_acme was not there'],
  [undefined, 'acme was busy', 'acme was busy'],
])('a warning about %s names it once: %s', (tenant, message, words) => {
  expect(describeEvent({ type: 'run.warned', code: 'X', message, ...(tenant === undefined ? {} : { tenant }) }, 'migrate')).toBe(words);
});

describe('the width of text', () => {
  test.each([
    ['tenant', 6],
    ['\u001b[31mred\u001b[39m', 3],
    ['株式会社', 8],
    ['🏢', 2],
    ['e\u0301', 1],
    ['✔ ━─ ⠋ → …', 10],
  ])('of %j is %i', (text, width) => {
    expect(measureWidth(text)).toBe(width);
  });

  test('cuts to the columns there are, never through a wide character, and closes colours', () => {
    expect(truncate('株式会社', 6)).toBe('株式…');
    expect(truncate('\u001b[31mabcdef\u001b[39m', 4)).toBe('\u001b[31mabc…\u001b[39m');
    expect(truncate('abc', 3)).toBe('abc');
    for (let columns = 0; columns < 12; columns += 1)
      expect(measureWidth(truncate('ab株🏢c\u001b[1md会\u001b[22me', columns))).toBeLessThanOrEqual(columns);
  });

  test('fills up to a column', () => {
    expect(fitWidth('株', 4)).toBe('株  ');
    expect(fitWidth('abcdef', 4)).toBe('abc…');
  });
});

describe('numbers', () => {
  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [999.6, '1.0 s'],
    [59_949, '59.9 s'],
    [59_960, '1 min'],
    [125_000, '2 min 5 s'],
    [3_599_600, '1 h'],
    [4_320_000, '1 h 12 min'],
  ])('%d ms reads %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('are grouped and counted', () => {
    expect(formatNumber(1234567)).toBe('1,234,567');
    expect(formatCount(1, 'tenant')).toBe('1 tenant');
    expect(formatSome(['a', 'b', 'c'], 40, 2)).toBe('a, b and 38 more');
  });
});

describe('words', () => {
  const draining: Extract<RunEvent, { type: 'run.draining' }> = {
    type: 'run.draining',
    reason: 'interrupted',
    inFlight: 3,
    notStarted: null,
  };

  test('say what a Ctrl-C does, and what the next one would', () => {
    expect(describeDraining(draining)).toBe('Ctrl-C: finishing 3 tenants in flight, starting no more; Ctrl-C again aborts them');
    expect(describeDraining({ ...draining, reason: 'max-failures', inFlight: 1, notStarted: 40 })).toBe(
      '--max-failures reached: finishing 1 tenant in flight, starting no more (40 left)',
    );
  });

  test('say what became of a tenant', () => {
    const outcome = { tenant: 'acme', cluster: 'main', outcome: 'applied', attempts: 2, from: '1', to: '3', ms: 1200 } as const;
    expect(describeOutcome(outcome, 'migrate')).toBe('migrated, 1 → 3 in 1.2 s, at attempt 2');
    expect(describeOutcome({ ...outcome, from: null, attempts: 1 }, 'provision')).toBe('provisioned to 3 in 1.2 s');
    expect(describeOutcome({ ...outcome, outcome: 'up-to-date' }, 'provision')).toBe('already active at 3');
  });

  test('keep the message and hint of an expected error, and call anything else a bug', () => {
    const expected = describeError(new TenancyError('TENANCY_CONFIG_NOT_FOUND', { directory: '/app' }));
    expect(expected).toMatchObject({
      code: 'TENANCY_CONFIG_NOT_FOUND',
      message: expect.stringContaining('/app'),
      hint: expect.any(String),
    });
    expect(describeError(new RangeError('at postgres://me:secret@db/app'))).toEqual({
      code: 'TENANCY_BUG',
      message: expect.stringMatching(/^RangeError: at postgres:\/\/((?!secret).)*$/),
      hint: undefined,
    });
  });
});
