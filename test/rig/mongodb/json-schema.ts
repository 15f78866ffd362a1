import { CommandError } from './errors.js';
import { fieldOf } from './paths.js';
import {
  type BsonType,
  compare,
  type Document,
  isDocument,
  isEqual,
  isNumber,
  isTruthy,
  numberOr,
  toRegExp,
  typeOf,
  typesNamed,
} from './values.js';

type Check = (value: unknown) => boolean;

/** The part of `$jsonSchema` that validators are made of. A keyword beyond it is refused. */
export function matchesSchema(schema: unknown): Check {
  if (!isDocument(schema)) throw new CommandError(14, '$jsonSchema must be an object');
  const checks = Object.entries(schema).map(([keyword, argument]) => compileKeyword(keyword, argument, schema));
  return (value) => checks.every((check) => check(value));
}

function compileKeyword(keyword: string, argument: unknown, schema: Document): Check {
  switch (keyword) {
    case 'title':
    case 'description':
      return () => true;
    case 'bsonType':
      return hasType(argument, (name) => typesNamed(name));
    case 'type':
      return hasType(argument, (name) => (name === 'boolean' ? ['bool'] : typesNamed(name)));
    case 'required':
      return (value) => !isDocument(value) || (argument as string[]).every((name) => Object.hasOwn(value, name));
    case 'properties': {
      const checks = Object.entries(argument as Document).map(([name, part]) => [name, matchesSchema(part)] as const);
      return (value) => !isDocument(value) || checks.every(([name, check]) => !Object.hasOwn(value, name) || check(fieldOf(value, name)));
    }
    case 'additionalProperties': {
      const known = new Set(Object.keys((schema['properties'] ?? {}) as Document));
      const check = isDocument(argument) ? matchesSchema(argument) : () => isTruthy(argument);
      return (value) => !isDocument(value) || Object.entries(value).every(([name, part]) => known.has(name) || check(part));
    }
    case 'enum':
      return (value) => (argument as unknown[]).some((allowed) => isEqual(value, allowed));
    case 'minimum':
      return (value) => !isNumber(value) || compare(value, argument) >= 0;
    case 'maximum':
      return (value) => !isNumber(value) || compare(value, argument) <= 0;
    case 'minLength':
      return (value) => typeof value !== 'string' || [...value].length >= numberOr(argument, 0);
    case 'maxLength':
      return (value) => typeof value !== 'string' || [...value].length <= numberOr(argument, 0);
    case 'pattern': {
      const pattern = toRegExp(argument);
      return (value) => typeof value !== 'string' || pattern.test(value);
    }
    case 'items': {
      const check = matchesSchema(argument);
      return (value) => !Array.isArray(value) || value.every(check);
    }
    case 'minItems':
      return (value) => !Array.isArray(value) || value.length >= numberOr(argument, 0);
    case 'maxItems':
      return (value) => !Array.isArray(value) || value.length <= numberOr(argument, 0);
    case 'anyOf':
      return someOf(argument, (passed) => passed > 0);
    case 'oneOf':
      return someOf(argument, (passed) => passed === 1);
    case 'allOf':
      return someOf(argument, (passed, of) => passed === of);
    default:
      throw new CommandError(9, `Unknown $jsonSchema keyword: ${keyword}`);
  }
}

function hasType(argument: unknown, named: (name: unknown) => readonly BsonType[] | null): Check {
  const types = (Array.isArray(argument) ? argument : [argument]).flatMap((name) => {
    const found = named(name);
    if (found === null) throw new CommandError(2, `Unknown type name alias: ${String(name)}`);
    return found;
  });
  return (value) => types.includes(typeOf(value));
}

function someOf(argument: unknown, isEnough: (passed: number, of: number) => boolean): Check {
  const checks = (argument as unknown[]).map(matchesSchema);
  return (value) => isEnough(checks.filter((check) => check(value)).length, checks.length);
}
