import { CommandError } from './errors.js';
import { compileExpression, newScope, type Scope } from './expressions.js';
import { compileFilter, isOperators } from './match.js';
import { setPath } from './paths.js';
import { type Document, isDocument, isNumber, isTruthy, numberOr } from './values.js';

interface Tree {
  [name: string]: Tree | true;
}

/** A projection of `find` or `$project`: of what is kept, or of what is left out, and of what is computed. */
export function compileProjection(spec: unknown, from: 'find' | '$project'): (document: Document, scope?: Scope) => Document {
  if (!isDocument(spec)) throw new CommandError(14, 'the projection has to be an object');
  const fields = flatten(spec, '');
  if (fields.length === 0) {
    if (from === '$project')
      throw new CommandError(51272, 'Invalid $project :: caused by :: projection specification must have at least one field');
    return (document) => document;
  }
  const flags = fields.filter(([path, value]) => path !== '_id' && isFlag(value));
  const isInclusion =
    flags.some(([, value]) => isTruthy(value)) || (flags.length === 0 && (computed(fields).length > 0 || isTruthy(spec['_id'])));
  const mixed = flags.find(([, value]) => isTruthy(value) !== isInclusion);
  if (mixed !== undefined) {
    throw new CommandError(
      isInclusion ? 31254 : 31253,
      `Cannot do ${isInclusion ? 'exclusion' : 'inclusion'} on field ${mixed[0]} in ${isInclusion ? 'inclusion' : 'exclusion'} projection`,
    );
  }
  const tree: Tree = {};
  for (const [path, value] of fields) if (isFlag(value) && isTruthy(value) === isInclusion) grow(tree, path);
  if (isInclusion && !('_id' in spec && !isTruthy(spec['_id']))) tree['_id'] = true;
  const extras = computed(fields).map(([path, value]) => [path.split('.'), compileField(path, value, from)] as const);
  return (document, scope = newScope(document, new Date())) => {
    const result = (isInclusion ? include(document, tree) : exclude(document, tree)) as Document;
    for (const [parts, compute] of extras) {
      const value = compute(document, scope);
      if (value !== undefined) setPath(result, parts, value);
    }
    return result;
  };
}

function flatten(spec: Document, prefix: string): [string, unknown][] {
  return Object.entries(spec).flatMap(([name, value]): [string, unknown][] => {
    const path = prefix + name;
    if (path.split('.').some((part) => part === '' || part.startsWith('$')))
      throw new CommandError(31324, `not a path to project: ${path}`);
    return isDocument(value) && !isOperators(value) ? flatten(value, `${path}.`) : [[path, value]];
  });
}

function isFlag(value: unknown): boolean {
  return isNumber(value) || typeof value === 'boolean';
}

function computed(fields: readonly [string, unknown][]): readonly [string, unknown][] {
  return fields.filter(([, value]) => !isFlag(value));
}

function grow(tree: Tree, path: string): void {
  const parts = path.split('.');
  let node = tree;
  for (const part of parts.slice(0, -1)) {
    const next = node[part];
    if (next === true) throw new CommandError(31250, `Path collision at ${path}`);
    node = node[part] = next ?? {};
  }
  node[parts.at(-1) as string] = true;
}

function include(value: unknown, tree: Tree): unknown {
  if (Array.isArray(value)) return value.filter((item) => isDocument(item) || Array.isArray(item)).map((item) => include(item, tree));
  if (!isDocument(value)) return undefined;
  const kept = Object.entries(value).flatMap(([name, part]): [string, unknown][] => {
    const node = Object.hasOwn(tree, name) ? tree[name] : undefined;
    if (node === undefined) return [];
    const inner = node === true ? part : include(part, node);
    return inner === undefined ? [] : [[name, inner]];
  });
  return Object.fromEntries(kept);
}

function exclude(value: unknown, tree: Tree): unknown {
  if (Array.isArray(value)) return value.map((item) => exclude(item, tree));
  if (!isDocument(value)) return value;
  const kept = Object.entries(value).flatMap(([name, part]): [string, unknown][] => {
    const node = Object.hasOwn(tree, name) ? tree[name] : undefined;
    if (node === true) return [];
    return [[name, node === undefined ? part : exclude(part, node)]];
  });
  return Object.fromEntries(kept);
}

function compileField(path: string, value: unknown, from: 'find' | '$project'): (document: Document, scope: Scope) => unknown {
  const operator = isOperators(value) ? Object.keys(value)[0] : undefined;
  if (from === 'find' && operator === '$slice') {
    const argument = (value as Document)['$slice'];
    const [skip, limit] = Array.isArray(argument) ? argument : [undefined, argument];
    const slice = compileExpression({ $slice: [`$${path}`, ...(skip === undefined ? [] : [skip]), limit] });
    return (_, scope) => slice(scope) ?? undefined;
  }
  if (from === 'find' && operator === '$elemMatch') {
    const test = compileFilter((value as Document)['$elemMatch']);
    const items = compileExpression(`$${path}`);
    return (_, scope) => {
      const found = items(scope);
      const item = Array.isArray(found) ? found.find((part) => isDocument(part) && test(part)) : undefined;
      return item === undefined ? undefined : [item];
    };
  }
  const compute = compileExpression(value);
  return (_, scope) => compute(scope);
}

export function limitOf(value: unknown): number {
  const limit = numberOr(value, 0);
  return limit === 0 ? Number.POSITIVE_INFINITY : Math.abs(limit);
}
