/** For the default of a switch over a union: what is added to the union is found by the compiler. */
export function unreachable(value: never): never {
  throw new Error(`nothing is known of ${JSON.stringify(value)}`);
}
