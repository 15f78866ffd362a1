import { CommandError } from './errors.js';
import { compileFilter } from './match.js';
import { getPath } from './paths.js';
import type { UpdateContext } from './update.js';
import type { Document } from './values.js';

/** `a.$`, `a.$[]` and `a.$[name]` stand for the places in the array that they mean. */
export function resolvePositions(path: string, document: Document, context: UpdateContext): string[][] {
  let found: string[][] = [[]];
  for (const part of path.split('.')) {
    found = found.flatMap((above) =>
      part.startsWith('$') ? positionsOf(part, above, document, context).map((at) => [...above, String(at)]) : [[...above, part]],
    );
  }
  return found;
}

function positionsOf(part: string, above: readonly string[], document: Document, context: UpdateContext): number[] {
  const items = getPath(document, above);
  if (part === '$') {
    const at = Array.isArray(items) ? items.findIndex(matchedBy(context.filter, above.join('.'))) : -1;
    if (at < 0) throw new CommandError(2, 'The positional operator did not find the match needed from the query.');
    return [at];
  }
  if (!Array.isArray(items))
    throw new CommandError(2, `The path '${above.join('.')}' must exist in the document in order to apply array updates.`);
  const name = /^\$\[(.*)\]$/.exec(part)?.[1];
  if (name === undefined) throw new CommandError(52, `The dollar ($) prefixed field '${part}' is not valid for storage.`);
  if (name === '') return [...items.keys()];
  const filter = context.arrayFilters.find((candidate) => Object.keys(candidate)[0]?.split('.')[0] === name);
  if (filter === undefined)
    throw new CommandError(2, `No array filter found for identifier '${name}' in path '${[...above, part].join('.')}'`);
  const isWanted = compileFilter(filter);
  return [...items.keys()].filter((at) => isWanted({ [name]: items[at] }));
}

/** The conditions of the filter that are about the array tell which of its elements is meant. */
function matchedBy(filter: Document, path: string): (item: unknown) => boolean {
  const parts = [filter, ...(Array.isArray(filter['$and']) ? (filter['$and'] as Document[]) : [])];
  const tests = parts.flatMap((part) =>
    Object.entries(part)
      .filter(([name]) => name === path || name.startsWith(`${path}.`))
      .map(([name, operand]) => compileFilter({ [`item${name.slice(path.length)}`]: operand })),
  );
  return (item) => tests.length > 0 && tests.every((test) => test({ item: [item] }) || test({ item }));
}
