/** One promise for each key, shared by all who ask; a failure is not remembered, so that a later call tries again. */
export function remember<Key, T>(known: Map<Key, Promise<T>>, key: Key, make: () => Promise<T>): Promise<T> {
  const before = known.get(key);
  if (before) return before;
  const promise = make();
  known.set(key, promise);
  promise.catch(() => {
    if (known.get(key) === promise) known.delete(key);
  });
  return promise;
}
