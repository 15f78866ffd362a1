import { Decimal128, Double, Int32, Long } from 'bson';
import { CommandError } from './errors.js';
import { isNumber, toNumber, typeOf } from './values.js';

type Operation = 'add' | 'subtract' | 'multiply';

const onNumbers = {
  add: (a: number, b: number) => a + b,
  subtract: (a: number, b: number) => a - b,
  multiply: (a: number, b: number) => a * b,
} satisfies Record<Operation, unknown>;

const onIntegers = {
  add: (a: bigint, b: bigint) => a + b,
  subtract: (a: bigint, b: bigint) => a - b,
  multiply: (a: bigint, b: bigint) => a * b,
} satisfies Record<Operation, unknown>;

/** The result has the wider type of the two; an int that overflows becomes a long. Decimals are refused: they are not computed here. */
export function compute(operation: Operation, a: unknown, b: unknown): Int32 | Long | Double {
  if (!isNumber(a) || !isNumber(b)) throw new CommandError(14, `cannot ${operation} ${typeOf(a)} and ${typeOf(b)}`);
  if (a instanceof Decimal128 || b instanceof Decimal128) throw new CommandError(238, 'arithmetic on decimals is not implemented');
  const kinds = [typeOf(a), typeOf(b)];
  if (kinds.includes('double')) return new Double(onNumbers[operation](Number(toNumber(a)), Number(toNumber(b))));
  const exact = onIntegers[operation](BigInt(toNumber(a)), BigInt(toNumber(b)));
  if (!kinds.includes('long') && BigInt.asIntN(32, exact) === exact) return new Int32(Number(exact));
  if (BigInt.asIntN(64, exact) !== exact) throw new CommandError(2, `Failed to ${operation}: the result does not fit 64 bits`);
  return Long.fromBigInt(exact);
}
