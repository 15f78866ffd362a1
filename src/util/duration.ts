import { TenancyError } from '../errors.js';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;

/** Longest that Node's timers can wait; a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Reads `'500ms'`, `'30s'`, `'10m'`, `'1h'`, `'2d'`, or a number of milliseconds, as whole milliseconds.
 * @throws TenancyError `TENANCY_DURATION_REJECTED`.
 */
export function parseDuration(raw: string | number): number {
  const reason = explainDuration(raw);
  if (reason !== null) throw new TenancyError('TENANCY_DURATION_REJECTED', { value: String(raw), reason });
  return toMs(raw);
}

/** Why a value is no duration, to follow "expected"; null where it is one. */
export function explainDuration(raw: unknown): string | null {
  if (typeof raw !== 'string' && typeof raw !== 'number') return 'a duration such as 500ms, 30s, 10m or 1h';
  if (typeof raw === 'string' && /^\s*\d+(\.\d+)?\s*$/.test(raw)) {
    return `a duration with its unit, such as ${raw.trim()}s or ${raw.trim()}ms`;
  }
  const ms = toMs(raw);
  if (!(ms > 0)) return 'a duration such as 500ms, 30s, 10m or 1h';
  return ms > LONGEST_MS ? 'a duration of at most 24d' : null;
}

/** Like `explainDuration`, of a wait, which may also be none at all: `0` or `0s`. */
export function explainWait(raw: unknown): string | null {
  return isNothing(raw) ? null : explainDuration(raw);
}

export function parseWait(raw: string | number): number {
  return isNothing(raw) ? 0 : parseDuration(raw);
}

function isNothing(raw: unknown): boolean {
  return raw === 0 || (typeof raw === 'string' && /^0+(ms|s|m|h|d)?$/.test(raw.trim()));
}

function toMs(raw: string | number): number {
  if (typeof raw === 'number') return Math.round(raw);
  const [, amount, unit] = DURATION.exec(raw.trim()) ?? [];
  return Math.round(Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS]);
}

/** For people: `340 ms`, `12.3 s`, `4 m 12 s`, `1 h 03 m`, `2 d 04 h`. */
export function formatDuration(ms: number): string {
  const wholeMs = Math.max(0, Math.round(ms));
  if (wholeMs < 1_000) return `${wholeMs} ms`;
  if (wholeMs < 59_950) return `${(wholeMs / 1_000).toFixed(1)} s`;
  const seconds = Math.round(wholeMs / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${pad(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

function pad(part: number): string {
  return String(part).padStart(2, '0');
}
