/** What a cluster may be: where it is, its cap, what holds it, and what it keeps ahead. */
import * as z from 'zod/mini';
import { DRIVER_NAMES } from '../tenant.js';
import { checkAs, duration, explained, hook, later, positive, strict, text } from './schema-parts.js';
import { explainUrl } from './url.js';

export const url = explained((value) => (typeof value === 'function' ? null : explainUrl(value)));

const clusterName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

const throttleQuery = (): z.ZodMiniType => strict({ sql: text, every: z.optional(duration) });
const throttleCheck = (): z.ZodMiniType => strict({ check: hook, every: z.optional(duration) });

const throttle = z.unknown().check((context) => {
  const { value } = context;
  if (Array.isArray(value)) {
    for (const [index, one] of value.entries()) checkThrottle(context, one, [index]);
  } else checkThrottle(context, value, []);
});

function checkThrottle(context: z.core.ParsePayload<unknown>, value: unknown, path: readonly number[]): void {
  if (typeof value === 'function') return;
  const isObject = typeof value === 'object' && value !== null;
  if (!isObject || (!('sql' in value) && !('check' in value))) {
    const message = "expected { sql: 'SELECT …' }, { check: (ctx) => … }, a function `(ctx) => …`, or an array of them";
    context.issues.push({ code: 'custom', message, path: [...path], input: value });
    return;
  }
  checkAs(context, 'sql' in value ? throttleQuery() : throttleCheck(), value, path);
}

const pool = later(() =>
  strict({
    driver: z.optional(
      explained((value) => {
        if (value === 'postgres-schema' || value === 'postgres-database') return null;
        const isOther = DRIVER_NAMES.some((name) => name === value);
        return `expected 'postgres-schema' or 'postgres-database'${isOther ? `: a home is made ahead under another name, and ${value} can't rename` : ''}`;
      }),
    ),
    size: z.int().check(z.nonnegative()),
  }),
);

export const isolation = z.optional(explained((value) => (value === 'none' || value === 'role' ? null : "expected 'none' or 'role'")));

const cluster = strict({
  url,
  concurrency: z.optional(positive),
  region: z.optional(text),
  pool,
  isolation,
  throttle: z.optional(throttle),
});

export const clusters = z.record(z.string(), cluster).check((context) => {
  const names = Object.keys(context.value);
  if (names.length === 0) {
    const message = "expected at least one cluster, such as { main: { url: 'postgres://…' } }";
    context.issues.push({ code: 'custom', message, input: context.value });
  }
  for (const name of names.filter((candidate) => !clusterName.test(candidate))) {
    const message = "a cluster's name is 1 to 63 of A-Z a-z 0-9 _ - . and starts with a letter or a digit";
    context.issues.push({ code: 'custom', message, path: [name], input: name });
  }
});
