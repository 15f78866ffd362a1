import { Double } from 'bson';
import { compute } from './arithmetic.js';
import { CommandError } from './errors.js';
import { compare, type Document, integer, isDocument, isNumber, isTruthy, numberOr, toNumber, typeOf } from './values.js';

type Compute = (values: unknown[]) => unknown;

export const isNullish = (value: unknown): boolean => value === undefined || value === null;

/** Missing comes before null here, unlike in filters. */
function order([a, b]: unknown[]): number {
  if (a === undefined || b === undefined) return a === b ? 0 : compare(a ?? null, b ?? null) || (a === undefined ? -1 : 1);
  return compare(a, b);
}

function text(name: string, use: (...texts: string[]) => unknown): Compute {
  return (values) => {
    for (const value of values)
      if (!isNullish(value) && typeof value !== 'string')
        throw new CommandError(16702, `${name} only supports strings, not ${typeOf(value)}`);
    return use(...values.map((value) => (value ?? '') as string));
  };
}

function arithmetic(operation: 'add' | 'subtract' | 'multiply'): Compute {
  return (values) => {
    if (values.some(isNullish)) return null;
    return values.slice(1).reduce((sum, value) => addDates(operation, sum, value), values[0]);
  };
}

function addDates(operation: 'add' | 'subtract' | 'multiply', a: unknown, b: unknown): unknown {
  if (operation === 'multiply' || !(a instanceof Date || b instanceof Date)) return compute(operation, a, b);
  const [left, right] = [a, b].map((value) => (value instanceof Date ? value.getTime() : Number(toNumber(value)))) as [number, number];
  if (operation === 'add') return new Date(left + right);
  return b instanceof Date ? integer(left - right) : new Date(left - right);
}

export function list(name: string, value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new CommandError(28689, `${name} needs an array, not ${typeOf(value)}`);
  return value;
}

function bound(wanted: number): Compute {
  return (values) => {
    const present = (values.length === 1 && Array.isArray(values[0]) ? values[0] : values).filter((value) => !isNullish(value));
    return (
      present.reduce((best, value) => (best === undefined || Math.sign(compare(value, best)) === wanted ? value : best), undefined) ?? null
    );
  };
}

/** Operators whose arguments are all evaluated first. A single argument may go without its array. */
export const functions: Record<string, Compute> = {
  $eq: (values) => order(values) === 0,
  $ne: (values) => order(values) !== 0,
  $gt: (values) => order(values) > 0,
  $gte: (values) => order(values) >= 0,
  $lt: (values) => order(values) < 0,
  $lte: (values) => order(values) <= 0,
  $cmp: (values) => integer(Math.sign(order(values))),
  $not: ([value]) => !isTruthy(value),
  $add: arithmetic('add'),
  $subtract: arithmetic('subtract'),
  $multiply: arithmetic('multiply'),
  $divide: (values) => {
    if (values.some(isNullish)) return null;
    const [a, b] = values.map((value) => Number(toNumber(value))) as [number, number];
    if (b === 0) throw new CommandError(2, "can't $divide by zero");
    return new Double(a / b);
  },
  $mod: (values) => (values.some(isNullish) ? null : integer(Number(toNumber(values[0])) % Number(toNumber(values[1])))),
  $abs: ([value]) => (isNullish(value) ? null : integer(Math.abs(Number(toNumber(value))))),
  $floor: ([value]) => (isNullish(value) ? null : integer(Math.floor(Number(toNumber(value))))),
  $ceil: ([value]) => (isNullish(value) ? null : integer(Math.ceil(Number(toNumber(value))))),
  $min: bound(-1),
  $max: bound(1),
  $sum: (values) =>
    (values.length === 1 && Array.isArray(values[0]) ? values[0] : values)
      .filter(isNumber)
      .reduce((sum, value) => compute('add', sum, value), integer(0)),
  $mergeObjects: (values) => {
    const parts = values.length === 1 && Array.isArray(values[0]) ? values[0] : values;
    for (const part of parts)
      if (!isNullish(part) && !isDocument(part))
        throw new CommandError(40400, `$mergeObjects requires object inputs, but input is of type ${typeOf(part)}`);
    return Object.assign({}, ...parts);
  },
  $toLower: text('$toLower', (value) => (value ?? '').toLowerCase()),
  $toUpper: text('$toUpper', (value) => (value ?? '').toUpperCase()),
  $concat: (values) => (values.some(isNullish) ? null : text('$concat', (...parts) => parts.join(''))(values)),
  $strLenCP: ([value]) => integer([...String(value)].length),
  $substrCP: ([value, from, count]) => [...String(value ?? '')].slice(numberOr(from, 0), numberOr(from, 0) + numberOr(count, 0)).join(''),
  $split: ([value, separator]) => (isNullish(value) ? null : String(value).split(String(separator))),
  $toString: ([value]) => toText(value),
  $toLong: ([value]) =>
    isNullish(value) ? null : compute('add', integer(Number(toNumber(value instanceof Date ? value.getTime() : value))), integer(0)),
  $in: ([value, items]) => list('$in', items).some((item) => compare(item, value ?? null) === 0),
  $size: ([value]) => integer(list('$size', value).length),
  $arrayElemAt: ([items, position]) => (isNullish(items) ? null : list('$arrayElemAt', items).at(numberOr(position, 0))),
  $first: ([items]) => (isNullish(items) ? null : list('$first', items)[0]),
  $last: ([items]) => (isNullish(items) ? null : list('$last', items).at(-1)),
  $concatArrays: (values) => (values.some(isNullish) ? null : values.flatMap((value) => list('$concatArrays', value))),
  $slice: ([items, a, b]) => {
    if (isNullish(items)) return null;
    const all = list('$slice', items);
    const first = numberOr(a, 0);
    if (b === undefined) return first < 0 ? all.slice(first) : all.slice(0, first);
    const from = first < 0 ? Math.max(0, all.length + first) : first;
    return all.slice(from, from + numberOr(b, 0));
  },
  $setUnion: (values) => uniqueOf(values.flatMap((value) => list('$setUnion', value))),
  $setDifference: ([a, b]) =>
    uniqueOf(list('$setDifference', a).filter((item) => !list('$setDifference', b).some((other) => compare(item, other) === 0))),
  $isArray: ([value]) => Array.isArray(value),
  $isNumber: ([value]) => isNumber(value),
  $type: ([value]) => typeOf(value),
  $objectToArray: ([value]) => (isNullish(value) ? null : Object.entries(value as Document).map(([k, v]) => ({ k, v }))),
  $arrayToObject: ([value]) =>
    isNullish(value)
      ? null
      : Object.fromEntries(
          list('$arrayToObject', value).map((item) =>
            Array.isArray(item) ? (item as [string, unknown]) : [(item as Document)['k'] as string, (item as Document)['v']],
          ),
        ),
  $toDate: ([value]) =>
    isNullish(value) || value instanceof Date ? (value ?? null) : new Date(isNumber(value) ? Number(toNumber(value)) : String(value)),
};

function uniqueOf(items: unknown[]): unknown[] {
  return items.filter((item, at) => items.findIndex((other) => compare(item, other) === 0) === at);
}

function toText(value: unknown): string | null {
  if (isNullish(value)) return null;
  if (value instanceof Date) return value.toISOString();
  if (isDocument(value) || Array.isArray(value)) throw new CommandError(241, `Unsupported conversion from ${typeOf(value)} to string`);
  return isNumber(value) ? String(toNumber(value)) : String(value);
}
