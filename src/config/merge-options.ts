import { TenancyError } from '../errors.js';
import { explainDuration, explainWait, parseDuration, parseWait } from '../util/duration.js';
import { explainRetention, parseRetention } from '../util/retention.js';
import { explainWaves, parseWaves } from './parse-waves.js';
import type { Executor } from './types.js';

const EXECUTORS: readonly Executor[] = ['local', 'pg-boss'];

/** How one option is read, whether it comes from a flag, a `TENANCY_*` variable or the config. */
export interface OptionSpec<Value> {
  /** What is expected, in words; null where `raw` is fine. */
  explain(raw: string | number): string | null;
  parse(raw: string | number): Value;
  readonly default: Value;
}

type OptionSpecs = Readonly<Record<string, OptionSpec<unknown>>>;

/** Raw values by the option's name in camel case. */
export type RawOptions<Specs extends OptionSpecs> = { readonly [Name in keyof Specs]?: string | number | undefined };

export type MergedOptions<Specs extends OptionSpecs> = {
  readonly [Name in keyof Specs]: Specs[Name] extends OptionSpec<infer Value> ? Value : never;
};

/**
 * The one merge order: flag > `TENANCY_*` variable > config > default. An empty variable counts as not set.
 * @throws TenancyError `TENANCY_OPTION_REJECTED`, which names the flag or the variable.
 */
export function mergeOptions<Specs extends OptionSpecs>(
  specs: Specs,
  layers: {
    readonly flags: RawOptions<Specs>;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly config: RawOptions<Specs>;
  },
): MergedOptions<Specs> {
  const merged = Object.entries(specs).map(([name, spec]) => {
    const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const variable = `TENANCY_${words.replaceAll('-', '_').toUpperCase()}`;
    const candidates = [
      { source: `--${words}`, raw: layers.flags[name] },
      { source: variable, raw: layers.env[variable] === '' ? undefined : layers.env[variable] },
      { source: `\`defaults.${name}\``, raw: layers.config[name] },
    ];
    for (const { source, raw } of candidates) {
      if (raw === undefined) continue;
      const expected = spec.explain(raw);
      if (expected !== null) throw new TenancyError('TENANCY_OPTION_REJECTED', { option: source, expected, value: String(raw) });
      return [name, spec.parse(raw)];
    }
    return [name, spec.default];
  });
  return Object.fromEntries(merged) as MergedOptions<Specs>;
}

function wholeNumber<Default extends number | null>(atLeast: number, fallback: Default): OptionSpec<number | Default> {
  return {
    explain: (raw) => (/^\d{1,9}$/.test(String(raw)) && Number(raw) >= atLeast ? null : `a whole number of at least ${atLeast}`),
    parse: Number,
    default: fallback,
  };
}

function duration(fallback: number): OptionSpec<number> {
  return { explain: explainDuration, parse: parseDuration, default: fallback };
}

/** A duration, or `none`, which takes back what a weaker layer sets. */
function limit(): OptionSpec<number | null> {
  return {
    explain: (raw) => {
      const expected = raw === 'none' ? null : explainDuration(raw);
      return expected === null ? null : `${expected}, or none`;
    },
    parse: (raw) => (raw === 'none' ? null : parseDuration(raw)),
    default: null,
  };
}

/** The options that a run takes, in milliseconds where they are durations. */
export const runOptionSpecs = {
  concurrency: wholeNumber(1, null),
  retries: wholeNumber(0, 3),
  timeout: limit(),
  lockTimeout: duration(5_000),
  statementTimeout: limit(),
  leaseWait: { explain: explainWait, parse: parseWait, default: 20_000 },
  canary: { explain: (raw) => explainWaves(raw, 1), parse: parseWaves, default: [] },
  waves: { explain: explainWaves, parse: parseWaves, default: [] },
  soak: { explain: explainWait, parse: parseWait, default: 0 },
  retain: { explain: explainRetention, parse: parseRetention, default: null },
  executor: {
    explain: (raw) => (EXECUTORS.includes(raw as Executor) ? null : EXECUTORS.join(' or ')),
    parse: (raw) => raw as Executor,
    default: 'local',
  },
} as const satisfies OptionSpecs;
