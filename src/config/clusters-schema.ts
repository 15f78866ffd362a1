/** What a cluster may be: where it is, its cap, what holds it, and what it keeps ahead. */
import { DRIVER_NAMES } from '../tenant.js';
import { checkAs, checked, duration, explained, hook, isObject, natural, positive, refuse, strict, text } from './schema-parts.js';
import { explainUrl } from './url.js';

export const url = explained((value) => (typeof value === 'function' ? null : explainUrl(value)));

export const isolation = explained((value) => (value === 'none' || value === 'role' ? null : "expected 'none' or 'role'"));

const throttleQuery = strict({ sql: text }, { every: duration });
const throttleCheck = strict({ check: hook }, { every: duration });

const oneThrottle = checked((context) => {
  const { value } = context;
  if (typeof value === 'function') return;
  if (isObject(value) && 'sql' in value) checkAs(context, throttleQuery, value);
  else if (isObject(value) && 'check' in value) checkAs(context, throttleCheck, value);
  else refuse(context, "expected { sql: 'SELECT …' }, { check: (ctx) => … }, a function `(ctx) => …`, or an array of them");
});

const throttle = checked((context) => {
  const { value } = context;
  if (!Array.isArray(value)) checkAs(context, oneThrottle, value);
  else for (const [index, one] of value.entries()) checkAs(context, oneThrottle, one, [index]);
});

const poolDriver = explained((value) => {
  if (value === 'postgres-schema' || value === 'postgres-database') return null;
  const isOther = DRIVER_NAMES.some((name) => name === value);
  return `expected 'postgres-schema' or 'postgres-database'${isOther ? `: a home is made ahead under another name, and ${value} can't rename` : ''}`;
});

const cluster = strict(
  { url },
  { concurrency: positive, region: text, pool: strict({ size: natural }, { driver: poolDriver }), isolation, throttle },
);

const clusterName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

export const clusters = checked((context) => {
  const { value } = context;
  if (!isObject(value)) {
    context.issues.push({ code: 'invalid_type', expected: 'object', input: value });
    return;
  }
  const entries = Object.entries(value);
  if (entries.length === 0) refuse(context, "expected at least one cluster, such as { main: { url: 'postgres://…' } }");
  for (const [name, one] of entries) {
    if (!clusterName.test(name))
      refuse(context, "a cluster's name is 1 to 63 of A-Z a-z 0-9 _ - . and starts with a letter or a digit", [name]);
    checkAs(context, cluster, one, [name]);
  }
});
