import type { Palette } from '../palette.js';
import { sanitizeLine } from '../sanitize.js';

/** Anything a config is made of once it is redacted; functions come as text. */
export type ConfigValue = string | number | boolean | null | undefined | readonly ConfigValue[] | { readonly [key: string]: ConfigValue };

/** A redacted config as indented `key: value` lines. */
export function printConfig(config: ConfigValue, palette: Palette, indent = ''): readonly string[] {
  if (isList(config)) return config.flatMap((value) => printEntry('-', value, palette, indent));
  if (config === null || typeof config !== 'object') return [`${indent}${printScalar(config)}`];
  return Object.entries(config)
    .filter(([, value]) => value !== undefined)
    .flatMap(([key, value]) => printEntry(`${sanitizeLine(key)}:`, value, palette, indent));
}

function printEntry(label: string, value: ConfigValue, palette: Palette, indent: string): readonly string[] {
  const head = `${indent}${palette.dim(label)}`;
  if (value === null || typeof value !== 'object') return [`${head} ${printScalar(value)}`];
  const lines = printConfig(value, palette, `${indent}  `);
  return lines.length === 0 ? [`${head} ${isList(value) ? '[]' : '{}'}`] : [head, ...lines];
}

function printScalar(value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined) return 'none';
  return sanitizeLine(String(value));
}

function isList(value: ConfigValue): value is readonly ConfigValue[] {
  return Array.isArray(value);
}
