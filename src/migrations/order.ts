/** Compares the names of migrations of one folder: negative where `a` is older. Total: zero only for the same name. */
export type NameOrder = (a: string, b: string) => number;

/** The digits that a name begins with; null where it begins with something else. */
export function leadingNumber(name: string): bigint | null {
  const digits = /^\d+/.exec(name)?.[0];
  return digits === undefined ? null : BigInt(digits);
}

/** By leading number: `0002` before `00010`, and a timestamp of any length. Names without one come last. */
export const byNumber: NameOrder = (a, b) => {
  const first = leadingNumber(a);
  const second = leadingNumber(b);
  if (first !== null && second !== null && first !== second) return first < second ? -1 : 1;
  if ((first === null) !== (second === null)) return first === null ? 1 : -1;
  return byName(a, b);
};

/** Bytewise, the same on every machine whatever its locale. */
export const byName: NameOrder = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** By number where every name has one, else by name. */
export function chooseOrder(names: readonly string[]): NameOrder {
  return names.every((name) => leadingNumber(name) !== null) ? byNumber : byName;
}

/** The newest of the names, in whatever order they come; null of none. */
export function findNewest(names: Iterable<string>, order: NameOrder): string | null {
  let newest: string | null = null;
  for (const name of names) if (newest === null || order(name, newest) > 0) newest = name;
  return newest;
}

/**
 * The order that a list is in already, to place further names in it. A folder of Prisma's is in the order of its names
 * also where all of them begin with a number.
 */
export function recogniseOrder(sorted: readonly string[]): NameOrder {
  const order = chooseOrder(sorted);
  const isSorted = sorted.every((name, at) => at === 0 || order(sorted[at - 1] ?? name, name) <= 0);
  return isSorted ? order : byName;
}
