import { CommandError } from './errors.js';
import { valuesAt } from './paths.js';
import { compare, type Document, isDocument, numberOr } from './values.js';

/** An array sorts by its least element, or by its greatest where the order is descending. */
export function compileSort(spec: unknown): (a: Document, b: Document) => number {
  if (!isDocument(spec)) throw new CommandError(14, 'the sort has to be an object');
  const keys = Object.entries(spec).map(([path, direction]) => {
    const sign = numberOr(direction, 0);
    if (sign !== 1 && sign !== -1) throw new CommandError(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
    return { path, sign };
  });
  return (a, b) => {
    for (const { path, sign } of keys) {
      const order = sign * compare(sortKey(a, path, sign), sortKey(b, path, sign));
      if (order !== 0) return order;
    }
    return 0;
  };
}

function sortKey(document: Document, path: string, sign: number): unknown {
  const values = valuesAt(document, path).flatMap((value) => (Array.isArray(value) ? value : [value]));
  return values.reduce((best, value) => (best === undefined || sign * compare(value, best) < 0 ? value : best), values[0]) ?? null;
}
