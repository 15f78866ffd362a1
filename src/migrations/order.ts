/** Compares the names of migrations of one folder: negative where `a` is older. Total: zero only for the same name. */
export type NameOrder = (a: string, b: string) => number;

/** `2024-03-06-170000_sso`, `2024_03_06_add_sso`: Diesel and Laravel name theirs so, and in the order of their names. */
const DATE = /^(?:19|20)\d\d([-_.])(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)/;

/** The digits that a name begins with; null where it begins with something else, or with a date in parts, whose year is no number of its own. */
export function leadingNumber(name: string): bigint | null {
  const digits = DATE.test(name) ? undefined : /^\d+/.exec(name)?.[0];
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

/** The parts of a version as Flyway writes it (`V1_2__name` is 1.2), without zeros at the end, since 1.0 is 1; null for another name. */
export function readVersion(name: string): readonly bigint[] | null {
  const [, version] = /^[VU](\d+(?:[._]\d+)*)__/.exec(name) ?? [];
  if (version === undefined) return null;
  const parts = version.split(/[._]/).map(BigInt);
  return parts.slice(0, parts.findLastIndex((part) => part !== 0n) + 1);
}

/** By Flyway's version, part by part: `V2__` before `V10__`. Names without one come last. */
export const byVersion: NameOrder = (a, b) => {
  const first = readVersion(a);
  const second = readVersion(b);
  if (first === null || second === null) return first === second ? byName(a, b) : first === null ? 1 : -1;
  for (let at = 0; at < Math.max(first.length, second.length); at++) {
    const [left, right] = [first[at] ?? 0n, second[at] ?? 0n];
    if (left !== right) return left < right ? -1 : 1;
  }
  return byName(a, b);
};

/** By number where every name has one, by version where every name is Flyway's, else by name. */
export function chooseOrder(names: readonly string[]): NameOrder {
  if (names.every((name) => leadingNumber(name) !== null)) return byNumber;
  return names.every((name) => readVersion(name) !== null) ? byVersion : byName;
}

/** The newest of the names, in whatever order they come; null of none. */
export function findNewest(names: Iterable<string>, order: NameOrder): string | null {
  let newest: string | null = null;
  for (const name of names) if (newest === null || order(name, newest) > 0) newest = name;
  return newest;
}

/**
 * The order that a list is in already, to place further names in it. A folder of Prisma's is in the order of its names
 * also where all of them begin with a number; what a journal alone puts in order has further names at its end.
 */
export function recogniseOrder(sorted: readonly string[]): NameOrder {
  const order = [chooseOrder(sorted), byName].find((candidate) => isSorted(sorted, candidate));
  return order ?? byPosition(sorted);
}

function isSorted(names: readonly string[], order: NameOrder): boolean {
  return names.every((name, at) => at === 0 || order(names[at - 1] ?? name, name) <= 0);
}

function byPosition(names: readonly string[]): NameOrder {
  const positions = new Map(names.map((name, at) => [name, at]));
  const positionOf = (name: string): number => positions.get(name) ?? names.length;
  return (a, b) => positionOf(a) - positionOf(b) || byName(a, b);
}
