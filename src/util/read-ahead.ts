/** Asks for the first item at once, while whoever wants it is still busy; a failure is met when its turn comes. */
export function readAhead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  const first = source.next();
  first.catch(() => undefined);
  async function* read(): AsyncGenerator<T> {
    const { done, value } = await first;
    if (done) return;
    yield value;
    yield* source;
  }
  return read();
}
