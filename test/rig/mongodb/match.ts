import { CommandError } from './errors.js';
import { compileExpression, newScope } from './expressions.js';
import { matchesSchema } from './json-schema.js';
import { valuesAt } from './paths.js';
import {
  compare,
  type Document,
  isDocument,
  isEqual,
  isNumber,
  isTruthy,
  numberOr,
  orderOf,
  toNumber,
  toRegExp,
  typeOf,
  typesNamed,
} from './values.js';

export type Predicate = (document: unknown) => boolean;

/** Compiled before the first document is seen, so that a filter that isn't understood fails on an empty collection too. */
export function compileFilter(filter: unknown, now: Date = new Date(), variables: Document = {}): Predicate {
  if (filter === undefined || filter === null) return () => true;
  if (!isDocument(filter)) throw new CommandError(14, `Expected field filter to be of type object`);
  return all(Object.entries(filter).map(([name, operand]) => compileClause(name, operand, now, variables)));
}

function compileClause(name: string, operand: unknown, now: Date, variables: Document): Predicate {
  switch (name) {
    case '$and':
      return all(compileList(name, operand, now, variables));
    case '$or': {
      const clauses = compileList(name, operand, now, variables);
      return (document) => clauses.some((clause) => clause(document));
    }
    case '$nor': {
      const clauses = compileList(name, operand, now, variables);
      return (document) => !clauses.some((clause) => clause(document));
    }
    case '$expr': {
      const evaluate = compileExpression(operand);
      return (document) => isTruthy(evaluate(newScope(document as Document, now, variables)));
    }
    case '$jsonSchema':
      return matchesSchema(operand);
    case '$comment':
      return () => true;
    case '$alwaysTrue':
      return () => true;
    case '$alwaysFalse':
      return () => false;
  }
  if (name.startsWith('$'))
    throw new CommandError(
      2,
      `unknown top level operator: ${name}. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.`,
    );
  const test = compileCondition(operand, now);
  return (document) => test(valuesAt(document, name));
}

function compileList(name: string, operand: unknown, now: Date, variables: Document): Predicate[] {
  if (!Array.isArray(operand) || operand.length === 0) throw new CommandError(2, `${name} argument must be a nonempty array`);
  return operand.map((part) => {
    if (!isDocument(part)) throw new CommandError(2, `${name} argument's entries must be objects`);
    return compileFilter(part, now, variables);
  });
}

function all(predicates: readonly Predicate[]): Predicate {
  return (document) => predicates.every((predicate) => predicate(document));
}

/** Of the values that a path leads to. */
type Test = (values: readonly unknown[]) => boolean;

export function isOperators(value: unknown): value is Document {
  return isDocument(value) && Object.keys(value)[0]?.startsWith('$') === true && !('$ref' in value);
}

function compileCondition(operand: unknown, now: Date): Test {
  if (!isOperators(operand)) return typeOf(operand) === 'regex' ? anyOf(regexTest(operand)) : anyOf((value) => equals(value, operand));
  const tests = Object.entries(operand).map(([name, argument]) => compileOperator(name, argument, operand, now));
  return (values) => tests.every((test) => test(values));
}

/** True where the value, or an element of it if it is an array, is. */
function anyOf(test: (value: unknown) => boolean): Test {
  return (values) => values.some((value) => test(value) || (Array.isArray(value) && value.some(test)));
}

function not(test: Test): Test {
  return (values) => !test(values);
}

function compileOperator(name: string, argument: unknown, siblings: Document, now: Date): Test {
  switch (name) {
    case '$eq':
      return anyOf((value) => equals(value, argument));
    case '$ne':
      return not(anyOf((value) => equals(value, argument)));
    case '$gt':
      return ordered(argument, (order) => order > 0);
    case '$gte':
      return ordered(argument, (order) => order >= 0);
    case '$lt':
      return ordered(argument, (order) => order < 0);
    case '$lte':
      return ordered(argument, (order) => order <= 0);
    case '$in':
      return anyOf(compileIn(name, argument));
    case '$nin':
      return not(anyOf(compileIn(name, argument)));
    case '$exists':
      return isTruthy(argument)
        ? (values) => values.some((value) => value !== undefined)
        : (values) => values.every((value) => value === undefined);
    case '$type': {
      const wanted = (Array.isArray(argument) ? argument : [argument]).flatMap((type) => {
        const named = typesNamed(type);
        if (named === null) throw new CommandError(2, `Unknown type name alias: ${String(type)}`);
        return named;
      });
      return anyOf((value) => wanted.includes(typeOf(value)));
    }
    case '$regex':
      return anyOf(regexTest(argument, siblings['$options'] as string | undefined));
    case '$options':
      if (!('$regex' in siblings)) throw new CommandError(2, '$options needs a $regex');
      return () => true;
    case '$not':
      if (!isOperators(argument) && typeOf(argument) !== 'regex') throw new CommandError(2, '$not needs a regex or a document');
      return not(compileCondition(argument, now));
    case '$elemMatch':
      return compileElemMatch(argument, now);
    case '$size': {
      if (!isNumber(argument)) throw new CommandError(2, `Failed to parse $size. Expected a number`);
      return (values) => values.some((value) => Array.isArray(value) && value.length === numberOr(argument, 0));
    }
    case '$all': {
      if (!Array.isArray(argument)) throw new CommandError(2, '$all needs an array');
      const tests = argument.map((item) => compileCondition(isOperators(item) ? item : { $eq: item }, now));
      return (values) => tests.length > 0 && tests.every((test) => test(values));
    }
    case '$mod': {
      if (!Array.isArray(argument) || argument.length !== 2) throw new CommandError(2, 'malformed mod, not enough elements');
      const [divisor, rest] = argument.map((part) => Math.trunc(numberOr(part, Number.NaN))) as [number, number];
      if (divisor === 0) throw new CommandError(2, 'divisor cannot be 0');
      return anyOf((value) => isNumber(value) && Math.trunc(Number(toNumber(value))) % divisor === rest);
    }
    case '$comment':
      return () => true;
    default:
      throw new CommandError(2, `unknown operator: ${name}`);
  }
}

/** Null finds what is missing too. */
function equals(value: unknown, operand: unknown): boolean {
  return isEqual(value, operand);
}

/** A value compares with its own type only, and the two ends of the order with all. */
function ordered(operand: unknown, isWanted: (order: number) => boolean): Test {
  const isEnd = ['minKey', 'maxKey'].includes(typeOf(operand));
  return anyOf((value) => (isEnd || orderOf(value) === orderOf(operand)) && isWanted(compare(value, operand)));
}

function compileIn(name: string, argument: unknown): (value: unknown) => boolean {
  if (!Array.isArray(argument)) throw new CommandError(2, `${name} needs an array`);
  const tests = argument.map((item) => {
    if (isOperators(item)) throw new CommandError(2, `cannot nest $ under ${name}`);
    return typeOf(item) === 'regex' ? regexTest(item) : (value: unknown) => equals(value, item);
  });
  return (value) => tests.some((test) => test(value));
}

function regexTest(operand: unknown, options?: string): (value: unknown) => boolean {
  if (!['regex', 'string'].includes(typeOf(operand))) throw new CommandError(2, '$regex has to be a string');
  let pattern: RegExp;
  try {
    pattern = toRegExp(operand, options);
  } catch (error) {
    throw new CommandError(51091, `Regular expression is invalid: ${(error as Error).message}`);
  }
  return (value) =>
    typeof value === 'string' ? pattern.test(value) : typeOf(operand) === 'regex' && typeOf(value) === 'regex' && isEqual(value, operand);
}

function compileElemMatch(argument: unknown, now: Date): Test {
  if (!isDocument(argument)) throw new CommandError(2, '$elemMatch needs an Object');
  const isValueTest = isOperators(argument) && !['$and', '$or', '$nor'].includes(Object.keys(argument)[0] ?? '');
  const condition = isValueTest ? compileCondition(argument, now) : compileFilter(argument, now);
  const test = isValueTest
    ? (item: unknown) => (condition as Test)([item])
    : (item: unknown) => (isDocument(item) || Array.isArray(item)) && (condition as Predicate)(item);
  return (values) => values.some((value) => Array.isArray(value) && value.some(test));
}
