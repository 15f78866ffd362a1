/** Puts zod's issues into our words: what was expected at a path, and what was there instead. */
import type { core } from 'zod/mini';
import type { ConfigIssue } from '../errors/config-errors.js';
import { findClosest } from '../util/edit-distance.js';
import { redact } from '../util/redact.js';
import { formatPath } from './config-path.js';

type Issue = core.$ZodIssue;

export function wordIssues(issues: readonly Issue[], config: unknown, prefix: readonly string[]): readonly ConfigIssue[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path];
    if (issue.code !== 'unrecognized_keys') return [{ path: formatPath(path), problem: wordProblem(issue, config) }];
    const problems = issue.message.split('\n');
    return issue.keys.map((key, index) => ({ path: formatPath([...path, key]), problem: problems[index] ?? 'unknown key' }));
  });
}

/** The message for keys that an object does not have: one line for each, for `wordIssues` to take apart. */
export function wordUnknownKeys(keys: readonly string[], known: readonly string[]): string {
  return keys
    .map((key) => {
      const closest = findClosest(key, known);
      return closest === undefined ? `unknown key; known here: ${known.join(', ')}` : `unknown key; did you mean \`${closest}\`?`;
    })
    .join('\n');
}

function wordProblem(issue: Issue, config: unknown): string {
  if (issue.code === 'custom') return issue.message;
  return `expected ${wordExpected(issue)}, got ${describeValue(valueAt(config, issue.path))}`;
}

function wordExpected(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_WORDS[issue.expected] ?? `a ${issue.expected}`;
    case 'invalid_value':
      return issue.values.map((value) => JSON.stringify(value)).join(' or ');
    case 'too_small':
      if (issue.origin === 'string') return 'a text that is not empty';
      return `a whole number of at least ${issue.inclusive === true ? issue.minimum : Number(issue.minimum) + 1}`;
    case 'too_big':
      return `a number of at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a text',
  boolean: 'true or false',
  number: 'a whole number',
  int: 'a whole number',
  object: 'an object',
};

/** A value as an error may show it: short, on one line, without a password. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing';
    case 'string': {
      const safe = redact(value).replace(/\s+/g, ' ');
      return `'${safe.length > 60 ? `${safe.slice(0, 57)}…` : safe}'`;
    }
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? 'an array' : value instanceof Promise ? 'a promise' : 'an object';
    case 'function':
      return 'a function';
    default:
      return String(value);
  }
}

function valueAt(config: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key], config);
}
