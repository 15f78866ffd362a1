import { Double, Long, Timestamp } from 'bson';
import { compute } from './arithmetic.js';
import { CommandError } from './errors.js';
import { compileFilter, isOperators, type Predicate } from './match.js';
import { checkPath, getPath, setPath, unsetPath } from './paths.js';
import { resolvePositions } from './positions.js';
import { applyPipeline } from './update-pipeline.js';
import { clone, compare, type Document, isDocument, isEqual, isNumber, isTruthy, numberOr, typeOf } from './values.js';

export interface UpdateContext {
  readonly now: Date;
  readonly filter: Document;
  readonly arrayFilters: readonly Document[];
  /** `let` of the command: variables of a pipeline. */
  readonly variables: Document;
  /** The document is about to be inserted: `$setOnInsert` counts. */
  readonly isInsert: boolean;
}

export type Update = (document: Document, context: UpdateContext) => Document;

/** Compiled first, so that an update that isn't understood fails where nothing matches, too. */
export function compileUpdate(update: unknown): { readonly isReplacement: boolean; readonly apply: Update } {
  if (Array.isArray(update)) return { isReplacement: false, apply: applyPipeline(update) };
  if (!isDocument(update)) throw new CommandError(9, 'Update argument must be either an object or an array');
  if (!isOperators(update)) return { isReplacement: true, apply: replaceBy(update) };
  const changes = Object.entries(update).flatMap(([operator, fields]) => {
    const change = Object.hasOwn(operators, operator) ? operators[operator] : undefined;
    if (change === undefined) {
      throw new CommandError(
        9,
        `Unknown modifier: ${operator}. Expected a valid update modifier or pipeline-style update specified as an array`,
      );
    }
    if (!isDocument(fields))
      throw new CommandError(
        9,
        `Modifiers operate on fields but we found type ${typeOf(fields)} instead. For example: {$mod: {<field>: ...}} not {${operator}: ${String(fields)}}`,
      );
    return Object.entries(fields).map(([path, argument]) => ({ operator, path, argument, change }));
  });
  checkConflicts(changes);
  return {
    isReplacement: false,
    apply: (document, context) => {
      const result = clone(document);
      for (const { operator, path, argument, change } of changes) {
        if (operator === '$setOnInsert' && !context.isInsert) continue;
        for (const parts of resolvePositions(path, result, context)) change(result, parts, argument, context);
      }
      return keepId(document, result, context);
    },
  };
}

function replaceBy(replacement: Document): Update {
  const dollar = Object.keys(replacement).find((name) => name.startsWith('$'));
  if (dollar !== undefined)
    throw new CommandError(
      52,
      `The dollar ($) prefixed field '${dollar}' in '${dollar}' is not allowed in the context of an update's replacement document.`,
    );
  return (document, context) => {
    const id = document['_id'];
    const { _id, ...rest } = clone(replacement);
    const result = id === undefined ? { ...(_id === undefined ? {} : { _id }), ...rest } : { _id: _id ?? id, ...rest };
    return keepId(document, result, context);
  };
}

/** @throws CommandError ImmutableField */
export function keepId(before: Document, after: Document, context: Pick<UpdateContext, 'isInsert'>): Document {
  if (!context.isInsert && !isEqual(before['_id'], after['_id'])) {
    throw new CommandError(66, "Performing an update on the path '_id' would modify the immutable field '_id'");
  }
  return after;
}

function checkConflicts(changes: readonly { path: string; operator: string; argument: unknown }[]): void {
  const paths = changes.flatMap(({ path, operator, argument }) => (operator === '$rename' ? [path, String(argument)] : [path]));
  for (const path of paths) checkPath(path);
  for (const [at, path] of paths.entries()) {
    const other = paths.find(
      (candidate, position) =>
        position < at && (candidate === path || path.startsWith(`${candidate}.`) || candidate.startsWith(`${path}.`)),
    );
    if (other !== undefined)
      throw new CommandError(40, `Updating the path '${path}' would create a conflict at '${other.length < path.length ? other : path}'`);
  }
}

type Change = (document: Document, parts: readonly string[], argument: unknown, context: UpdateContext) => void;

function arithmetic(operation: 'add' | 'multiply'): Change {
  return (document, parts, argument) => {
    const before = getPath(document, parts);
    if (!isNumber(argument))
      throw new CommandError(
        14,
        `Cannot ${operation === 'add' ? 'increment' : 'multiply'} with non-numeric argument: {${parts.join('.')}: ${String(argument)}}`,
      );
    if (before !== undefined && !isNumber(before)) {
      throw new CommandError(
        14,
        `Cannot apply ${operation === 'add' ? '$inc' : '$mul'} to a value of non-numeric type. The field '${parts.at(-1)}' is of non-numeric type ${typeOf(before)}`,
      );
    }
    const start = before ?? (operation === 'add' ? undefined : compute('multiply', argument, 0));
    setPath(document, parts, start === undefined ? argument : before === undefined ? start : compute(operation, start, argument));
  };
}

function bound(wanted: number): Change {
  return (document, parts, argument) => {
    const before = getPath(document, parts);
    if (before === undefined || Math.sign(compare(argument, before)) === wanted) setPath(document, parts, argument);
  };
}

const set: Change = (document, parts, argument) => setPath(document, parts, clone(argument));

const operators: Record<string, Change> = {
  $set: set,
  $setOnInsert: set,
  $unset: (document, parts) => unsetPath(document, parts),
  $inc: arithmetic('add'),
  $mul: arithmetic('multiply'),
  $min: bound(-1),
  $max: bound(1),
  $currentDate: (document, parts, argument, { now }) => {
    const type = isDocument(argument) ? argument['$type'] : 'date';
    if (type !== 'date' && type !== 'timestamp')
      throw new CommandError(2, "The '$type' string field is required to be 'date' or 'timestamp'");
    setPath(document, parts, type === 'date' ? now : new Timestamp({ t: Math.floor(now.getTime() / 1000), i: 1 }));
  },
  $rename: (document, parts, argument) => {
    const value = getPath(document, parts);
    if (value === undefined) return;
    unsetPath(document, parts);
    setPath(document, String(argument).split('.'), value);
  },
  $push: (document, parts, argument) => {
    const isModified = isDocument(argument) && '$each' in argument;
    if (isModified) checkModifiers('$push', argument, ['$each', '$slice', '$position', '$sort']);
    const added = isModified ? (argument['$each'] as unknown[]) : [argument];
    const items = [...arrayAt('$push', document, parts)];
    if (isModified && argument['$position'] !== undefined) items.splice(numberOr(argument['$position'], 0), 0, ...added);
    else items.push(...added);
    if (isModified && argument['$sort'] !== undefined) sortItems(items, argument['$sort']);
    const slice = isModified && argument['$slice'] !== undefined ? numberOr(argument['$slice'], 0) : null;
    setPath(document, parts, slice === null ? items : slice < 0 ? items.slice(slice) : items.slice(0, slice));
  },
  $addToSet: (document, parts, argument) => {
    const isModified = isDocument(argument) && '$each' in argument;
    if (isModified) checkModifiers('$addToSet', argument, ['$each']);
    const items = [...arrayAt('$addToSet', document, parts)];
    for (const item of isModified ? (argument['$each'] as unknown[]) : [argument]) {
      if (!items.some((other) => isEqual(other, item))) items.push(item);
    }
    setPath(document, parts, items);
  },
  $pull: (document, parts, argument) => {
    if (getPath(document, parts) === undefined) return;
    const isWanted = isDocument(argument) && !isOperators(argument) ? compileFilter(argument) : compileElement(argument);
    setPath(
      document,
      parts,
      arrayAt('$pull', document, parts).filter((item) => !isWanted(item)),
    );
  },
  $pullAll: (document, parts, argument) => {
    if (getPath(document, parts) === undefined) return;
    setPath(
      document,
      parts,
      arrayAt('$pullAll', document, parts).filter((item) => !(argument as unknown[]).some((other) => isEqual(item, other))),
    );
  },
  $pop: (document, parts, argument) => {
    if (getPath(document, parts) === undefined) return;
    const items = arrayAt('$pop', document, parts);
    setPath(document, parts, numberOr(argument, 1) < 0 ? items.slice(1) : items.slice(0, -1));
  },
};

function compileElement(argument: unknown): Predicate {
  const test = compileFilter({ item: argument });
  return (item) => test({ item });
}

function checkModifiers(operator: string, argument: Document, known: readonly string[]): void {
  const unknown = Object.keys(argument).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new CommandError(2, `Unrecognized clause in ${operator}: ${unknown}`);
  if (!Array.isArray(argument['$each']))
    throw new CommandError(2, `The argument to $each in ${operator} must be an array but it was of type ${typeOf(argument['$each'])}`);
}

function arrayAt(operator: string, document: Document, parts: readonly string[]): unknown[] {
  const value = getPath(document, parts) ?? [];
  if (!Array.isArray(value))
    throw new CommandError(2, `The field '${parts.join('.')}' must be an array but is of type ${typeOf(value)} (${operator})`);
  return value;
}

function sortItems(items: unknown[], spec: unknown): void {
  if (isDocument(spec)) {
    const keys = Object.entries(spec);
    items.sort((a, b) =>
      keys.reduce(
        (order, [path, sign]) => order || numberOr(sign, 1) * compare(getPath(a, path.split('.')), getPath(b, path.split('.'))),
        0,
      ),
    );
  } else items.sort((a, b) => numberOr(spec, 1) * compare(a, b));
}

export function isSameDocument(a: Document, b: Document): boolean {
  return isEqual(a, b) && typesOf(a) === typesOf(b);
}

/** An int that becomes a long is a change, though they are equal. */
function typesOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(typesOf).join();
  if (isDocument(value)) return Object.values(value).map(typesOf).join();
  return value instanceof Long ? 'l' : value instanceof Double ? 'd' : '';
}

/** What an upsert starts from: the fields that the filter says to be equal to something. */
export function upsertBase(filter: Document): Document {
  const base: Document = {};
  for (const [name, operand] of Object.entries(filter)) {
    if (name === '$and') for (const part of operand as Document[]) Object.assign(base, upsertBase(part));
    else if (name.startsWith('$')) continue;
    else if (!isOperators(operand)) setPath(base, name.split('.'), clone(operand));
    else if ('$eq' in operand) setPath(base, name.split('.'), clone(operand['$eq']));
    else if (Array.isArray(operand['$in']) && operand['$in'].length === 1) setPath(base, name.split('.'), clone(operand['$in'][0]));
  }
  return base;
}

export function isUpsert(statement: Document): boolean {
  return isTruthy(statement['upsert']);
}
