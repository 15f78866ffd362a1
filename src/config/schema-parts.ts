/** What the parts of a config's schema are made of. */
import * as z from 'zod/mini';
import { explainDuration, explainWait } from '../util/duration.js';
import { wordUnknownKeys } from './config-issues.js';

/**
 * A part is made when there is a value to be checked by it: to make all of them takes several times as long as to check what most configs
 * have, and would be felt in the start of every command.
 */
export type Part = () => z.ZodMiniType;

type Parts = Readonly<Record<string, Part>>;

export const positive: Part = () => z.int().check(z.positive());
export const natural: Part = () => z.int().check(z.nonnegative());
export const text: Part = () => z.string().check(z.minLength(1));
export const flag: Part = () => z.boolean();
export const argv: Part = () => z.array(text()).check(z.minLength(1));

export function oneOf(...values: readonly string[]): Part {
  return () => z.enum(values as [string, ...string[]]);
}

/** An object with no keys but these; one that is nearly one of these is told so. */
export function strict(required: Parts, optional: Parts = {}): Part {
  return keyed(required, optional, (context, value) => {
    const known = Object.keys({ ...required, ...optional });
    const keys = Object.keys(value).filter((key) => !known.includes(key));
    if (keys.length > 0) context.issues.push({ code: 'unrecognized_keys', keys, message: wordUnknownKeys(keys, known), input: value });
  });
}

/** An object that may have other keys too. */
export function loose(required: Parts, optional: Parts): Part {
  return keyed(required, optional, () => undefined);
}

function keyed(required: Parts, optional: Parts, checkKeys: (context: Checked, value: Readonly<Record<string, unknown>>) => void): Part {
  return checked((context) => {
    const { value } = context;
    if (!isObject(value)) {
      context.issues.push({ code: 'invalid_type', expected: 'object', input: value });
      return;
    }
    for (const [key, part] of Object.entries(required)) checkAs(context, part, value[key], [key]);
    for (const [key, part] of Object.entries(optional)) if (value[key] !== undefined) checkAs(context, part, value[key], [key]);
    checkKeys(context, value);
  });
}

type Checked = z.core.ParsePayload<unknown>;

/** A value that one of our own functions looks at, which adds what is wrong with it. */
export function checked(check: (context: Checked) => void): Part {
  return () => z.unknown().check(check);
}

/** The same for a function that gives the clause to show, or null. */
export function explained(explain: (value: unknown) => string | null): Part {
  return checked((context) => {
    const problem = explain(context.value);
    if (problem !== null) refuse(context, problem);
  });
}

/** Adds one of our own clauses to what is wrong. */
export function refuse(context: Checked, problem: string, path: readonly PropertyKey[] = []): void {
  context.issues.push({ code: 'custom', message: problem, path: [...path], input: context.value });
}

/** Goes on with what depends on a look at the value. */
export function checkAs(context: Checked, part: Part, value: unknown, path: readonly PropertyKey[] = []): void {
  for (const issue of issuesOf(part, value)) context.issues.push({ ...issue, path: [...path, ...issue.path] } as never);
}

/** All that is wrong with a value. */
export function issuesOf(part: Part, value: unknown): readonly z.core.$ZodIssue[] {
  // Compiling a parser takes longer than it saves where one value is parsed.
  const result = part().safeParse(value, { jitless: true });
  return result.success ? [] : result.error.issues;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value that one of our parsers reads, as that says what it expected. */
export function expected(explain: (value: unknown) => string | null): Part {
  return explained((value) => {
    const what = explain(value);
    return what === null ? null : `expected ${what}`;
  });
}

export const duration = expected(explainDuration);
export const wait = expected(explainWait);
/** `none` takes back what a config or a variable sets. */
export const limit = expected((value) => {
  const what = value === 'none' ? null : explainDuration(value);
  return what === null ? null : `${what}, or none`;
});

export const hook = explained((value) => (typeof value === 'function' ? null : 'expected a function `(ctx) => …`'));
