import { CommandError } from './errors.js';
import { compileExpression, type Expression, type Scope } from './expressions.js';
import { compileProjection } from './project.js';
import { clone, type Document, isDocument, typeOf } from './values.js';

/** A stage that makes one document of one: of pipelines, and of updates that are written as one. */
export type Stage = (document: Document, scope: Scope) => Document;

export function isDocumentStage(name: string): boolean {
  return Object.hasOwn(stages, name);
}

export function compileStage(name: string, argument: unknown): Stage {
  const compile = Object.hasOwn(stages, name) ? stages[name] : undefined;
  if (compile === undefined) throw new CommandError(40324, `Unrecognized pipeline stage name: '${name}'`);
  return compile(argument);
}

const stages: Record<string, (argument: unknown) => Stage> = {
  $set: compileAddFields,
  $addFields: compileAddFields,
  $project: (argument) => compileProjection(argument, '$project'),
  $unset: (argument) => {
    const names = Array.isArray(argument) ? argument : [argument];
    if (names.length === 0 || !names.every((name) => typeof name === 'string'))
      throw new CommandError(31120, '$unset specification must be a string or an array');
    return compileProjection(Object.fromEntries(names.map((name) => [name, false])), '$project');
  },
  $replaceWith: compileReplace,
  $replaceRoot: (argument) => compileReplace(isDocument(argument) ? argument['newRoot'] : undefined),
};

function compileReplace(argument: unknown): Stage {
  const root = compileExpression(argument);
  return (_, scope) => {
    const value = root(scope);
    if (!isDocument(value))
      throw new CommandError(40228, `'newRoot' expression must evaluate to an object, but resulting value was of type ${typeOf(value)}`);
    return clone(value);
  };
}

type Tree = Map<string, Tree | Expression>;

function compileAddFields(argument: unknown): Stage {
  if (!isDocument(argument)) throw new CommandError(40272, '$set specification stage must be an object');
  const tree: Tree = new Map();
  for (const [path, value] of Object.entries(argument)) plant(tree, path.split('.'), value);
  return (document, scope) => graft(document, tree, scope) as Document;
}

function plant(tree: Tree, [name, ...rest]: readonly string[], value: unknown): void {
  if (name === undefined || name === '' || name.startsWith('$'))
    throw new CommandError(16410, `FieldPath field names may not start with '$' or be empty: ${name}`);
  const below = tree.get(name) ?? new Map();
  const isNested = isDocument(value) && Object.keys(value).length > 0 && !Object.keys(value)[0]?.startsWith('$');
  if (rest.length === 0 && !isNested) tree.set(name, compileExpression(value));
  else if (!(below instanceof Map)) throw new CommandError(40176, `Invalid $set :: path collision at ${name}`);
  else {
    tree.set(name, below);
    if (rest.length > 0) plant(below, rest, value);
    else for (const [inner, part] of Object.entries(value as Document)) plant(below, inner.split('.'), part);
  }
}

/** Fields are added to a document, to each document of an array, and in place of a scalar. */
function graft(value: unknown, tree: Tree, scope: Scope): unknown {
  if (Array.isArray(value)) return value.map((item) => graft(item, tree, scope));
  const result: Document = isDocument(value) ? { ...value } : {};
  for (const [name, node] of tree) {
    const part = node instanceof Map ? graft(result[name], node, scope) : node(scope);
    if (part === undefined) delete result[name];
    else result[name] = part;
  }
  return result;
}
