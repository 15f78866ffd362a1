import { CommandError } from './errors.js';
import { type Document, isDocument } from './values.js';

/**
 * What a dotted path leads to in a document: an array on the way stands for each of the documents in it, or for the one
 * at a position. An array at the end is one value. Missing is `undefined`.
 */
export function valuesAt(document: unknown, path: string): unknown[] {
  if (!path.includes('.') && isDocument(document)) return [fieldOf(document, path)];
  const found: unknown[] = [];
  collect(document, path.split('.'), 0, found);
  return found;
}

function collect(value: unknown, parts: readonly string[], at: number, found: unknown[]): void {
  const part = parts[at];
  if (part === undefined) found.push(value);
  else if (Array.isArray(value)) {
    if (/^\d+$/.test(part) && Number(part) < value.length) collect(value[Number(part)], parts, at + 1, found);
    for (const item of value) if (isDocument(item)) collect(item, parts, at, found);
  } else collect(isDocument(value) ? fieldOf(value, part) : undefined, isDocument(value) ? parts : [], at + 1, found);
}

/** A name such as `constructor` is a field only where the document has it. */
export function fieldOf(document: Document, name: string): unknown {
  return Object.hasOwn(document, name) ? document[name] : undefined;
}

export function checkPath(path: string): void {
  if (path === '') throw new CommandError(56, 'An empty update path is not valid.');
  if (path.split('.').includes(''))
    throw new CommandError(56, `The update path '${path}' contains an empty field name, which is not allowed.`);
}

/** Reads without spreading arrays: positions only. */
export function getPath(root: unknown, parts: readonly string[]): unknown {
  let value = root;
  for (const part of parts) {
    if (Array.isArray(value)) value = /^\d+$/.test(part) ? value[Number(part)] : undefined;
    else value = isDocument(value) ? fieldOf(value, part) : undefined;
  }
  return value;
}

/** Makes the documents that are missing on the way. @throws CommandError PathNotViable where a scalar is in the way. */
export function setPath(root: Document, parts: readonly string[], value: unknown): void {
  let container: unknown = root;
  for (const [at, part] of parts.entries()) {
    const isLast = at === parts.length - 1;
    if (Array.isArray(container)) {
      const position = toPosition(part, container, parts.slice(0, at));
      while (container.length < position) container.push(null);
      if (isLast) container[position] = value;
      else container = container[position] ??= {};
    } else if (isDocument(container)) {
      if (isLast) container[part] = value;
      else {
        if (fieldOf(container, part) === undefined) container[part] = {};
        container = container[part];
      }
    } else throw notViable(part, parts.slice(0, at), container);
  }
}

export function unsetPath(root: Document, parts: readonly string[]): void {
  const container = getPath(root, parts.slice(0, -1));
  const last = parts.at(-1) as string;
  if (Array.isArray(container)) {
    if (/^\d+$/.test(last) && Number(last) < container.length) container[Number(last)] = null;
  } else if (isDocument(container)) delete container[last];
}

function toPosition(part: string, container: unknown[], above: readonly string[]): number {
  if (!/^\d+$/.test(part)) throw notViable(part, above, container);
  if (Number(part) > container.length + 1_500_000) throw new CommandError(2, 'too large an array index');
  return Number(part);
}

function notViable(part: string, above: readonly string[], container: unknown): CommandError {
  return new CommandError(28, `Cannot create field '${part}' in element {${above.at(-1)}: ${JSON.stringify(container)}}`);
}
