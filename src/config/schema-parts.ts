/** What the parts of a config's schema are made of. */
import * as z from 'zod/mini';
import { explainDuration, explainWait } from '../util/duration.js';
import { wordUnknownKeys } from './config-issues.js';

export const positive = z.int().check(z.positive());
export const text = z.string().check(z.minLength(1));
export const flag = z.boolean();

/** No keys but these; one that is nearly one of these is told so. */
export function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape): z.ZodMiniObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? wordUnknownKeys(issue.keys, Object.keys(shape)) : undefined),
  });
}

/** Of what most configs leave out: it is made when somebody has it, since to make them all is a tenth of a start. */
export function later(make: () => z.ZodMiniType): z.ZodMiniType {
  return z.optional(z.lazy(make));
}

/** A value that is checked by one of our own functions, which gives the clause to show. */
export function explained(explain: (value: unknown) => string | null): z.ZodMiniType<unknown, unknown> {
  return z.unknown().check((context) => {
    const problem = explain(context.value);
    if (problem !== null) context.issues.push({ code: 'custom', message: problem, input: context.value });
  });
}

/** Compiling a parser takes longer than it saves where one value is parsed. */
export const ONCE = { jitless: true } satisfies z.core.ParseContext<z.core.$ZodIssue>;

/** Goes on with what depends on a look at the value. */
export function checkAs(
  context: z.core.ParsePayload<unknown>,
  shape: z.ZodMiniType,
  value: unknown,
  path: readonly PropertyKey[] = [],
): void {
  const result = shape.safeParse(value, ONCE);
  for (const issue of result.success ? [] : result.error.issues) context.issues.push({ ...issue, path: [...path, ...issue.path] } as never);
}

export function prefixExpected(expected: string | null): string | null {
  return expected === null ? null : `expected ${expected}`;
}

/** `none` takes back what a config or a variable sets. */
export const duration = explained((value) => {
  const expected = explainDuration(value);
  return expected === null ? null : `expected ${expected}`;
});
export const wait = explained((value) => {
  const expected = explainWait(value);
  return expected === null ? null : `expected ${expected}`;
});
export const limit = explained((value) => {
  const expected = value === 'none' ? null : explainDuration(value);
  return expected === null ? null : `expected ${expected}, or none`;
});

export const hook = explained((value) => (typeof value === 'function' ? null : 'expected a function `(ctx) => …`'));
