/** `clusters.main.url`, `seeds[0]`, `clusters["eu-1"]`: a place in a config as it would be written in code. */
export function joinPath(path: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  const name = String(key);
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === '' ? name : `${path}.${name}`;
}

export function formatPath(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>((path, key) => joinPath(path, key), '');
}
