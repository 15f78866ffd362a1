import { accumulatorNamed } from './accumulators.js';
import { CommandError } from './errors.js';
import { compileExpression, extend, newScope } from './expressions.js';
import { compileFilter } from './match.js';
import { getPath, setPath, valuesAt } from './paths.js';
import { limitOf } from './project.js';
import { compileSort } from './sort.js';
import { compileStage, isDocumentStage } from './stages.js';
import { clone, compare, type Document, integer, isDocument, isNumber, isTruthy, keyOf, numberOr, orderOf } from './values.js';

export interface PipelineContext {
  readonly now: Date;
  readonly variables: Document;
  /** All documents of another collection of the database: for `$lookup` and `$unionWith`. */
  readCollection(name: string): Iterable<Document>;
  /** Stages that read the server's state, at the beginning of a pipeline. */
  readSource(name: string, argument: unknown): Iterable<Document> | null;
}

type Step = (input: Iterable<Document>, context: PipelineContext) => Iterable<Document>;

export function compilePipeline(pipeline: unknown): Step {
  if (!Array.isArray(pipeline)) throw new CommandError(14, "'pipeline' option must be specified as an array");
  const steps = pipeline.map((stage, at) => {
    const names = isDocument(stage) ? Object.keys(stage) : [];
    if (names.length !== 1) throw new CommandError(40323, 'A pipeline stage specification object must contain exactly one field.');
    const name = names[0] as string;
    return compileStep(name, (stage as Document)[name], at);
  });
  return (input, context) => steps.reduce((documents, step) => step(documents, context), input);
}

function compileStep(name: string, argument: unknown, at: number): Step {
  if (isDocumentStage(name)) {
    const apply = compileStage(name, argument);
    return (input, context) => map(input, (document) => apply(document, newScope(document, context.now, context.variables)));
  }
  const compile = Object.hasOwn(steps, name) ? steps[name] : undefined;
  if (compile !== undefined) return compile(argument);
  if (['$currentOp', '$listLocalSessions', '$indexStats', '$collStats'].includes(name) && at === 0) {
    return (_, context) => {
      const documents = context.readSource(name, argument);
      if (documents === null) throw new CommandError(73, `${name} is not for this namespace, or not implemented`);
      return documents;
    };
  }
  throw new CommandError(40324, `Unrecognized pipeline stage name: '${name}'`);
}

function* map(input: Iterable<Document>, use: (document: Document) => Document): Iterable<Document> {
  for (const document of input) yield use(document);
}

function* flatMap(input: Iterable<Document>, use: (document: Document) => Iterable<Document>): Iterable<Document> {
  for (const document of input) yield* use(document);
}

function* take(input: Iterable<Document>, skip: number, limit: number): Iterable<Document> {
  let at = 0;
  for (const document of input) {
    if (at >= skip + limit) return;
    if (at++ >= skip) yield document;
  }
}

const steps: Record<string, (argument: unknown) => Step> = {
  $match: (argument) => {
    // `$expr` sees the variables of the pipeline, which are known when it runs.
    compileFilter(argument);
    return function* (input, context) {
      const matches = compileFilter(argument, context.now, context.variables);
      for (const document of input) if (matches(document)) yield document;
    };
  },
  $sort: (argument) => {
    const sort = compileSort(argument);
    return (input) => sort([...input], (document) => document);
  },
  $limit: (argument) => {
    if (!isNumber(argument) || numberOr(argument, 0) <= 0) throw new CommandError(15958, 'the limit must be positive');
    return (input) => take(input, 0, limitOf(argument));
  },
  $skip: (argument) => {
    if (!isNumber(argument) || numberOr(argument, -1) < 0) throw new CommandError(15956, 'Argument to $skip cannot be negative');
    return (input) => take(input, numberOr(argument, 0), Number.POSITIVE_INFINITY);
  },
  $count: (argument) => {
    if (typeof argument !== 'string' || argument === '' || /^\$|\./.test(argument))
      throw new CommandError(40156, 'the count field must be a non-empty string');
    return (input) => {
      const count = [...input].length;
      return count === 0 ? [] : [{ [argument]: integer(count) }];
    };
  },
  $group: compileGroup,
  $sortByCount: (argument) => {
    const group = compileGroup({ _id: argument, count: { $sum: 1 } });
    return (input, context) => [...group(input, context)].sort((a, b) => compare(b['count'], a['count']));
  },
  $unwind: compileUnwind,
  $lookup: compileLookup,
  $unionWith: (argument) => {
    const { coll, pipeline = [] } = typeof argument === 'string' ? { coll: argument } : (argument as { coll: string; pipeline?: unknown });
    const inner = compilePipeline(pipeline);
    return function* (input, context) {
      yield* input;
      yield* inner(context.readCollection(coll), context);
    };
  },
  $facet: (argument) => {
    if (!isDocument(argument)) throw new CommandError(40169, 'the $facet specification must be a non-empty object');
    const facets = Object.entries(argument).map(([name, pipeline]) => [name, compilePipeline(pipeline)] as const);
    return (input, context) => {
      const documents = [...input];
      return [Object.fromEntries(facets.map(([name, run]) => [name, [...run(documents, context)]]))];
    };
  },
};

function compileGroup(argument: unknown): Step {
  if (!isDocument(argument)) throw new CommandError(15947, "a group's fields must be specified in an object");
  if (!('_id' in argument)) throw new CommandError(15955, 'a group specification must include an _id');
  const id = compileExpression(argument['_id']);
  const fields = Object.entries(argument)
    .filter(([name]) => name !== '_id')
    .map(([name, spec]) => {
      const operator = isDocument(spec) ? Object.keys(spec)[0] : undefined;
      if (operator === undefined) throw new CommandError(40234, `The field '${name}' must be an accumulator object`);
      return { name, make: accumulatorNamed(operator), value: compileExpression((spec as Document)[operator]) };
    });
  return (input, context) => {
    const groups = new Map<string, { id: unknown; states: ReturnType<ReturnType<typeof accumulatorNamed>>[] }>();
    for (const document of input) {
      const scope = newScope(document, context.now, context.variables);
      const value = id(scope) ?? null;
      const key = keyOf(value);
      const group = groups.get(key) ?? { id: value, states: fields.map((field) => field.make()) };
      groups.set(key, group);
      for (const [at, field] of fields.entries()) group.states[at]?.add(field.value(scope));
    }
    return [...groups.values()].map((group) => ({
      _id: group.id,
      ...Object.fromEntries(fields.map(({ name }, at) => [name, group.states[at]?.result()])),
    }));
  };
}

function compileUnwind(argument: unknown): Step {
  const spec: Document = isDocument(argument) ? argument : { path: argument };
  const path = spec['path'];
  if (typeof path !== 'string' || !path.startsWith('$'))
    throw new CommandError(28818, `path option to $unwind stage should be prefixed with a '$'`);
  const parts = path.slice(1).split('.');
  const index = spec['includeArrayIndex'];
  return (input) =>
    flatMap(input, (document) => {
      const value = getPath(document, parts);
      const items = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
      if (items.length === 0) return isTruthy(spec['preserveNullAndEmptyArrays']) ? [withoutEmptyArray(document, parts)] : [];
      return items.map((item, at) => {
        const copy = clone(document);
        setPath(copy, parts, item);
        if (typeof index === 'string') setPath(copy, index.split('.'), integer(at));
        return copy;
      });
    });
}

function withoutEmptyArray(document: Document, parts: readonly string[]): Document {
  if (!Array.isArray(getPath(document, parts)) || parts.length > 1) return document;
  const { [parts[0] as string]: _gone, ...rest } = document;
  return rest;
}

function compileLookup(argument: unknown): Step {
  if (!isDocument(argument) || typeof argument['as'] !== 'string') throw new CommandError(9, "must specify 'as' field for a $lookup");
  const { from, as, localField, foreignField, let: given = {} } = argument as Record<string, string> & { let?: Document };
  const inner = compilePipeline(argument['pipeline'] ?? []);
  const variables = Object.entries(given as Document).map(([name, part]) => [name, compileExpression(part)] as const);
  return (input, context) => {
    const others = [...context.readCollection(String(from))];
    return map(input, (document) => {
      const scope = newScope(document, context.now, context.variables);
      const bound = Object.fromEntries(variables.map(([name, part]) => [name, part(scope)]));
      const joined =
        localField === undefined || foreignField === undefined
          ? others
          : others.filter(isJoined(valuesAt(document, localField), foreignField));
      const found = [...inner(joined, { ...context, variables: extend({ variables: context.variables }, bound).variables as Document })];
      const copy = clone(document);
      setPath(copy, (as as string).split('.'), found);
      return copy;
    });
  };
}

function isJoined(local: readonly unknown[], foreignField: string): (other: Document) => boolean {
  const keys = new Set(local.flatMap((value) => (Array.isArray(value) ? value : [value])).map(keyOf));
  return (other) =>
    valuesAt(other, foreignField).some(
      (value) => keys.has(keyOf(value)) || (Array.isArray(value) && orderOf(value) > 0 && value.some((item) => keys.has(keyOf(item)))),
    );
}
