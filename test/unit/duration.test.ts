import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../src/util/duration.js';

describe('parseDuration', () => {
  const cases: readonly [string | number, number][] = [
    ['500ms', 500],
    ['30s', 30_000],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['1.5s', 1_500],
    [' 5 s ', 5_000],
    [250, 250],
  ];
  for (const [raw, ms] of cases) {
    it(`reads ${JSON.stringify(raw)} as ${ms} ms`, () => {
      expect(parseDuration(raw)).toBe(ms);
    });
  }

  const refused: readonly [string | number, string][] = [
    ['30', 'expected a duration with its unit, such as 30s or 30ms, got "30"'],
    ['soon', 'expected a duration such as 500ms, 30s, 10m or 1h, got "soon"'],
    ['', 'expected a duration such as 500ms, 30s, 10m or 1h, got ""'],
    ['-5s', 'expected a duration such as 500ms, 30s, 10m or 1h, got "-5s"'],
    ['0s', 'expected a duration such as 500ms, 30s, 10m or 1h, got "0s"'],
    [Number.NaN, 'expected a duration such as 500ms, 30s, 10m or 1h, got "NaN"'],
    ['25d', 'expected a duration of at most 24d, got "25d"'],
  ];
  for (const [raw, message] of refused) {
    it(`refuses ${JSON.stringify(raw)}`, () => {
      expect(() => parseDuration(raw)).toThrow(message);
    });
  }
});

describe('formatDuration', () => {
  const cases: readonly [number, string][] = [
    [0, '0 ms'],
    [340.4, '340 ms'],
    [999, '999 ms'],
    [1_000, '1.0 s'],
    [12_345, '12.3 s'],
    [59_949, '59.9 s'],
    [59_960, '1 m 00 s'],
    [252_000, '4 m 12 s'],
    [3_599_600, '1 h 00 m'],
    [3_780_000, '1 h 03 m'],
    [86_400_000, '1 d 00 h'],
  ];
  for (const [ms, text] of cases) {
    it(`writes ${ms} ms as ${text}`, () => {
      expect(formatDuration(ms)).toBe(text);
    });
  }
});
