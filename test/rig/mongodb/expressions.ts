import { CommandError } from './errors.js';
import { functions, isNullish, list } from './functions.js';
import { fieldOf } from './paths.js';
import { type Document, isDocument, isTruthy, toRegExp } from './values.js';

export interface Scope {
  readonly variables: Readonly<Record<string, unknown>>;
}

/** Undefined stands for missing. */
export type Expression = (scope: Scope) => unknown;

export function newScope(root: Document, now: Date, more: Record<string, unknown> = {}): Scope {
  return { variables: { ...more, ROOT: root, CURRENT: root, NOW: now } };
}

export function compileExpression(source: unknown): Expression {
  if (typeof source === 'string' && source.startsWith('$')) return compilePath(source);
  if (Array.isArray(source)) {
    const items = source.map(compileExpression);
    return (scope) => items.map((item) => item(scope) ?? null);
  }
  if (!isDocument(source)) return () => source;
  const [first] = Object.keys(source);
  if (first?.startsWith('$')) {
    if (Object.keys(source).length > 1) throw new CommandError(15983, 'An object representing an expression must have exactly one field');
    return compileOperator(first, source[first]);
  }
  const fields = Object.entries(source).map(([name, part]) => [name, compileExpression(part)] as const);
  return (scope) => Object.fromEntries(fields.map(([name, part]) => [name, part(scope)]).filter(([, value]) => value !== undefined));
}

function compilePath(source: string): Expression {
  const isVariable = source.startsWith('$$');
  const [variable, ...rest] = isVariable ? source.slice(2).split('.') : ['CURRENT', ...source.slice(1).split('.')];
  if (variable === undefined || rest.includes('')) throw new CommandError(15998, 'FieldPath field names may not be empty strings.');
  if (variable === 'REMOVE') return () => undefined;
  return (scope) => {
    if (!Object.hasOwn(scope.variables, variable)) throw new CommandError(17276, `Use of undefined variable: ${variable}`);
    return rest.reduce(step, scope.variables[variable]);
  };
}

/** Through an array a name leads to the array of what its documents have under that name. */
function step(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((item) => step(item, name)).filter((item) => item !== undefined);
  return isDocument(value) ? fieldOf(value, name) : undefined;
}

function compileOperator(name: string, argument: unknown): Expression {
  const evaluated = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (evaluated !== undefined) {
    const items = (Array.isArray(argument) ? argument : [argument]).map(compileExpression);
    return (scope) => evaluated(items.map((item) => item(scope)));
  }
  const compile = Object.hasOwn(forms, name) ? forms[name] : undefined;
  if (compile === undefined) throw new CommandError(168, `Unrecognized expression '${name}'`);
  return compile(argument);
}

/** Operators that evaluate only some of their arguments, or some of them many times. */
const forms: Record<string, (argument: unknown) => Expression> = {
  $literal: (argument) => () => argument,
  $and: (argument) => {
    const items = asList(argument);
    return (scope) => items.every((item) => isTruthy(item(scope)));
  },
  $or: (argument) => {
    const items = asList(argument);
    return (scope) => items.some((item) => isTruthy(item(scope)));
  },
  $cond: (argument) => {
    const parts = Array.isArray(argument) ? argument : named('$cond', argument, ['if', 'then', 'else']);
    if (parts.length !== 3) throw new CommandError(16020, 'Expression $cond takes exactly 3 arguments.');
    const [test, then, otherwise] = parts.map(compileExpression) as [Expression, Expression, Expression];
    return (scope) => (isTruthy(test(scope)) ? then(scope) : otherwise(scope));
  },
  $ifNull: (argument) => {
    const items = asList(argument);
    return (scope) => {
      for (const item of items) {
        const value = item(scope);
        if (!isNullish(value)) return value;
      }
      return items.at(-1)?.(scope);
    };
  },
  $switch: (argument) => {
    const { branches, default: fallback } = argument as { branches: { case: unknown; then: unknown }[]; default?: unknown };
    const compiled = branches.map((branch) => [compileExpression(branch.case), compileExpression(branch.then)] as const);
    const otherwise = compileExpression(fallback);
    return (scope) => (compiled.find(([test]) => isTruthy(test(scope)))?.[1] ?? otherwise)(scope);
  },
  $let: (argument) => {
    const { vars, in: body } = argument as { vars: Document; in: unknown };
    const variables = Object.entries(vars).map(([name, part]) => [name, compileExpression(part)] as const);
    const result = compileExpression(body);
    return (scope) => result(extend(scope, Object.fromEntries(variables.map(([name, part]) => [name, part(scope)]))));
  },
  $filter: (argument) => {
    const { input, as = 'this', cond } = argument as { input: unknown; as?: string; cond: unknown };
    const [items, test] = [compileExpression(input), compileExpression(cond)];
    return (scope) => {
      const found = items(scope);
      return isNullish(found) ? null : list('$filter', found).filter((item) => isTruthy(test(extend(scope, { [as]: item }))));
    };
  },
  $map: (argument) => {
    const { input, as = 'this', in: body } = argument as { input: unknown; as?: string; in: unknown };
    const [items, result] = [compileExpression(input), compileExpression(body)];
    return (scope) => {
      const found = items(scope);
      return isNullish(found) ? null : list('$map', found).map((item) => result(extend(scope, { [as]: item })) ?? null);
    };
  },
  $regexMatch: (argument) => {
    const { input, regex, options } = argument as { input: unknown; regex: unknown; options?: string };
    const [subject, pattern] = [compileExpression(input), compileExpression(regex)];
    return (scope) => {
      const value = subject(scope);
      return !isNullish(value) && toRegExp(pattern(scope), options).test(String(value));
    };
  },
  $getField: (argument) => {
    const { field, input = '$$CURRENT' } =
      typeof argument === 'string' ? { field: argument } : (argument as { field: string; input?: unknown });
    const source = compileExpression(input);
    return (scope) => {
      const value = source(scope);
      return isDocument(value) ? fieldOf(value, field) : undefined;
    };
  },
};

export function extend(scope: Scope, variables: Record<string, unknown>): Scope {
  return { variables: { ...scope.variables, ...variables } };
}

function asList(argument: unknown): Expression[] {
  return (Array.isArray(argument) ? argument : [argument]).map(compileExpression);
}

function named(operator: string, argument: unknown, names: readonly string[]): unknown[] {
  const missing = names.find((name) => !isDocument(argument) || !(name in argument));
  if (missing !== undefined) throw new CommandError(17080, `Missing '${missing}' parameter to ${operator}`);
  return names.map((name) => (argument as Document)[name]);
}
