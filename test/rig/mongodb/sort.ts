import { CommandError } from './errors.js';
import { valuesAt } from './paths.js';
import { compare, type Document, isDocument, numberOr } from './values.js';

/** Sorts by what `documentOf` says; those that are equal keep their order. */
export type Sort = <Item>(items: readonly Item[], documentOf: (item: Item) => Document) => Item[];

export function compileSort(spec: unknown): Sort {
  if (!isDocument(spec)) throw new CommandError(14, 'the sort has to be an object');
  const keys = Object.entries(spec).map(([path, direction]) => {
    const sign = numberOr(direction, 0);
    if (sign !== 1 && sign !== -1) {
      throw new CommandError(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
    }
    return { path, sign };
  });
  return (items, documentOf) =>
    items
      .map((item) => ({ item, values: keys.map(({ path, sign }) => sortValue(documentOf(item), path, sign)) }))
      .sort((a, b) => keys.reduce((order, { sign }, at) => order || sign * compare(a.values[at], b.values[at]), 0))
      .map(({ item }) => item);
}

/** An array sorts by its least element, or by its greatest where the order is descending. */
function sortValue(document: Document, path: string, sign: number): unknown {
  const values = valuesAt(document, path).flatMap((value) => (Array.isArray(value) ? value : [value]));
  return values.reduce((best, value) => (best === undefined || sign * compare(value, best) < 0 ? value : best), values[0]) ?? null;
}
