import { Double } from 'bson';
import { compute } from './arithmetic.js';
import { CommandError } from './errors.js';
import { compare, integer, isEqual, isNumber, toNumber } from './values.js';

interface Accumulator {
  add(value: unknown): void;
  result(): unknown;
}

/** @throws CommandError for an accumulator that isn't known */
export function accumulatorNamed(name: string): () => Accumulator {
  const make = Object.hasOwn(accumulators, name) ? accumulators[name] : undefined;
  if (make === undefined) throw new CommandError(15952, `unknown group operator '${name}'`);
  return make;
}

function fold(start: unknown, step: (before: unknown, value: unknown) => unknown): () => Accumulator {
  return () => {
    let state = start;
    return {
      add: (value) => {
        state = step(state, value);
      },
      result: () => state ?? null,
    };
  };
}

const isNullish = (value: unknown): boolean => value === undefined || value === null;

const best = (sign: number): (() => Accumulator) =>
  fold(undefined, (before, value) => (isNullish(value) || (before !== undefined && sign * compare(value, before) <= 0) ? before : value));

const accumulators: Record<string, () => Accumulator> = {
  $sum: fold(integer(0), (before, value) => (isNumber(value) ? compute('add', before, value) : before)),
  $count: fold(integer(0), (before) => compute('add', before, integer(1))),
  $min: best(-1),
  $max: best(1),
  $avg: () => {
    let [sum, count] = [0, 0];
    return {
      add: (value) => {
        if (!isNumber(value)) return;
        sum += Number(toNumber(value));
        count += 1;
      },
      result: () => (count === 0 ? null : new Double(sum / count)),
    };
  },
  $first: () => {
    const seen: unknown[] = [];
    return { add: (value) => void (seen.length === 0 && seen.push(value ?? null)), result: () => seen[0] ?? null };
  },
  $last: fold(undefined, (_, value) => value ?? null),
  $push: () => {
    const items: unknown[] = [];
    return { add: (value) => void (value !== undefined && items.push(value)), result: () => items };
  },
  $addToSet: () => {
    const items: unknown[] = [];
    return {
      add: (value) => void (value !== undefined && !items.some((item) => isEqual(item, value)) && items.push(value)),
      result: () => items,
    };
  },
  $mergeObjects: fold({}, (before, value) => Object.assign({}, before, value)),
};
