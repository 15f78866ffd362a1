import { Binary, BSONRegExp, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';

/** Values are kept as `bson` reads them with `promoteValues: false`, so that an int stays an int and a long a long. */
export type Document = Record<string, unknown>;

export type BsonType =
  | 'missing'
  | 'minKey'
  | 'null'
  | 'int'
  | 'long'
  | 'double'
  | 'decimal'
  | 'string'
  | 'object'
  | 'array'
  | 'binData'
  | 'objectId'
  | 'bool'
  | 'date'
  | 'timestamp'
  | 'regex'
  | 'javascript'
  | 'maxKey';

/** The order in which values of different types sort, and the numbers by which `$type` knows them. */
const types: Record<BsonType, readonly [order: number, typeNumber: number]> = {
  minKey: [1, -1],
  missing: [5, 0],
  null: [5, 10],
  int: [10, 16],
  long: [10, 18],
  double: [10, 1],
  decimal: [10, 19],
  string: [15, 2],
  object: [20, 3],
  array: [25, 4],
  binData: [30, 5],
  objectId: [35, 7],
  bool: [40, 8],
  date: [45, 9],
  timestamp: [47, 17],
  regex: [50, 11],
  javascript: [60, 13],
  maxKey: [127, 127],
};

export function typeOf(value: unknown): BsonType {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) && value === (value | 0) ? 'int' : 'double';
  if (typeof value === 'bigint') return 'long';
  if (Array.isArray(value)) return 'array';
  if (value instanceof Int32) return 'int';
  if (value instanceof Timestamp) return 'timestamp';
  if (value instanceof Long) return 'long';
  if (value instanceof Double) return 'double';
  if (value instanceof Decimal128) return 'decimal';
  if (value instanceof ObjectId) return 'objectId';
  if (value instanceof Date) return 'date';
  if (value instanceof Binary) return 'binData';
  if (value instanceof BSONRegExp || value instanceof RegExp) return 'regex';
  if (value instanceof Code) return 'javascript';
  if (value instanceof MinKey) return 'minKey';
  if (value instanceof MaxKey) return 'maxKey';
  return 'object';
}

/** The types that a `$type` operand names; null for one that isn't known. */
export function typesNamed(operand: unknown): readonly BsonType[] | null {
  if (operand === 'number') return ['int', 'long', 'double', 'decimal'];
  const isNamed = ([name, [, number]]: [string, readonly [number, number]]): boolean =>
    name !== 'missing' && (typeof operand === 'string' ? name === operand : isNumber(operand) && Number(toNumber(operand)) === number);
  const found = Object.entries(types).find(isNamed);
  return found === undefined ? null : [found[0] as BsonType];
}

export function isDocument(value: unknown): value is Document {
  return typeOf(value) === 'object';
}

export function isNumber(value: unknown): boolean {
  return types[typeOf(value)][0] === 10;
}

/** JavaScript compares a number with a bigint exactly, so longs beyond 2^53 keep their order. */
export function toNumber(value: unknown): number | bigint {
  if (value instanceof Int32 || value instanceof Double) return Number(value.valueOf());
  if (value instanceof Long) {
    const exact = value.toBigInt();
    return BigInt.asIntN(53, exact) === exact ? Number(exact) : exact;
  }
  return typeof value === 'bigint' ? value : Number(value instanceof Decimal128 ? value.toString() : value);
}

/** A command's numeric option. */
export function numberOr(value: unknown, fallback: number): number {
  return isNumber(value) ? Number(toNumber(value)) : fallback;
}

/** As the server reads truth: null, missing, false and 0 are false, all else is true. */
export function isTruthy(value: unknown): boolean {
  if (isNumber(value)) return Number(toNumber(value)) !== 0;
  return value !== undefined && value !== null && value !== false;
}

export function orderOf(value: unknown): number {
  return types[typeOf(value)][0];
}

/** The server's order over all values: by type, then by value. */
export function compare(a: unknown, b: unknown): number {
  const order = orderOf(a) - orderOf(b);
  if (order !== 0) return order;
  switch (typeOf(a)) {
    case 'int':
    case 'long':
    case 'double':
    case 'decimal':
      return compareNumbers(toNumber(a), toNumber(b));
    case 'string':
      return compareTexts(a as string, b as string);
    case 'object':
      return compareDocuments(a as Document, b as Document);
    case 'array':
      return compareLists(a as unknown[], b as unknown[]);
    case 'binData':
      return compareBinaries(a as Binary, b as Binary);
    case 'objectId':
      return Buffer.compare((a as ObjectId).id, (b as ObjectId).id);
    case 'bool':
      return Number(a) - Number(b);
    case 'date':
      return (a as Date).getTime() - (b as Date).getTime();
    case 'timestamp':
      return (a as Timestamp).compare(b as Timestamp);
    case 'regex':
    case 'javascript':
      return String(keyOf(a)) < String(keyOf(b)) ? -1 : Number(keyOf(a) !== keyOf(b));
    default:
      return 0;
  }
}

function compareNumbers(a: number | bigint, b: number | bigint): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  return a < b ? -1 : Number(a > b);
}

/** As their UTF-8 bytes compare. UTF-16 differs from that where a character takes two units. */
function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === length) return a.length - b.length;
  const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
  return left < 0xd800 && right < 0xd800 ? left - right : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function compareDocuments(a: Document, b: Document): number {
  const left = Object.entries(a);
  const right = Object.entries(b);
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [leftName, leftValue] = left[i] as [string, unknown];
    const [rightName, rightValue] = right[i] as [string, unknown];
    const order = orderOf(leftValue) - orderOf(rightValue) || compare(leftName, rightName) || compare(leftValue, rightValue);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compareLists(a: readonly unknown[], b: readonly unknown[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compare(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareBinaries(a: Binary, b: Binary): number {
  return a.length() - b.length() || a.sub_type - b.sub_type || Buffer.compare(a.value(), b.value());
}

export function isEqual(a: unknown, b: unknown): boolean {
  return compare(a, b) === 0;
}

/** The same text for equal values and for them alone: the key of maps. */
export function keyOf(value: unknown): string {
  switch (typeOf(value)) {
    case 'missing':
    case 'null':
      return '_';
    case 'int':
    case 'long':
    case 'double':
    case 'decimal':
      return `n${toNumber(value)}`;
    case 'string':
      return JSON.stringify(value);
    case 'object':
      return `{${Object.entries(value as Document).map(([name, part]) => `${JSON.stringify(name)}:${keyOf(part)}`)}}`;
    case 'array':
      return `[${(value as unknown[]).map(keyOf)}]`;
    case 'binData':
      return `b${(value as Binary).sub_type}:${Buffer.from((value as Binary).value()).toString('base64')}`;
    case 'objectId':
      return `o${(value as ObjectId).toHexString()}`;
    case 'date':
      return `d${(value as Date).getTime()}`;
    case 'regex': {
      const { source, flags } = toRegExp(value);
      return `/${source}/${flags}`;
    }
    case 'javascript':
      return `c${JSON.stringify((value as Code).code)}`;
    case 'minKey':
    case 'maxKey':
      return typeOf(value);
    default:
      return `${typeOf(value)}:${String(value)}`;
  }
}

export function toRegExp(value: unknown, options?: string): RegExp {
  const source = value instanceof BSONRegExp ? value.pattern : value instanceof RegExp ? value.source : String(value);
  const given = options ?? (value instanceof BSONRegExp ? value.options : value instanceof RegExp ? value.flags : '');
  return new RegExp(source, [...new Set(given)].filter((flag) => 'ims'.includes(flag)).join(''));
}

/** Containers are copied, values in them are never changed and so are shared. */
export function clone<T>(value: T): T {
  if (Array.isArray(value)) return value.map(clone) as T;
  if (!isDocument(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, clone(part)])) as T;
}

export function integer(value: number): Int32 | Long | Double {
  if (!Number.isInteger(value)) return new Double(value);
  return value === (value | 0) ? new Int32(value) : Long.fromNumber(value);
}
