import { TenancyError } from '../errors.js';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const RETENTION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$/;

/** No timer waits for it, so that it may be longer than other durations: ten years. */
const LONGEST_MS = 3_650 * UNIT_MS.d;

/** Why a value is no time to keep something for, to follow "expected"; null where it is one. */
export function explainRetention(raw: unknown): string | null {
  if (raw === 'none') return null;
  const expected = 'a time such as 30d, 12h or 2w, of at most 3650d, or none';
  if (typeof raw !== 'string' && typeof raw !== 'number') return expected;
  const ms = toMs(raw);
  return ms >= 1 && ms <= LONGEST_MS ? null : expected;
}

/** Milliseconds; null for `none`. @throws TenancyError `TENANCY_OPTION_REJECTED` */
export function parseRetention(raw: string | number): number | null {
  const expected = explainRetention(raw);
  if (expected !== null) throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--retain', value: String(raw), expected });
  return raw === 'none' ? null : toMs(raw);
}

function toMs(raw: string | number): number {
  if (typeof raw === 'number') return Math.round(raw);
  const [, amount, unit] = RETENTION.exec(raw.trim()) ?? [];
  return Math.round(Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS]);
}
