/** A file with a place in it, as editors and terminals take it. */
export function placeIn(file: string, line: number | undefined, column: number | undefined): string {
  if (line === undefined) return file;
  return column === undefined ? `${file}:${line}` : `${file}:${line}:${column}`;
}

export function wordMissing(file: string, module: string, importer: string | undefined): string {
  return `${file} can't be loaded: ${JSON.stringify(module)}, which ${importer === undefined || importer === file ? 'it' : importer} imports, was not found`;
}

/** What to type so that a module is found. */
export function adviseMissing(module: string): string {
  const name = packageOf(module);
  if (name === null) return 'check the path in the import';
  return name === 'tenancy-cli' ? 'npm i -D tenancy-cli' : `npm i ${name}`;
}

/** The npm package that an import names; null for a path. */
function packageOf(specifier: string): string | null {
  if (/^(\.{0,2}\/|\.{1,2}$|file:|[A-Za-z]:\\)/.test(specifier)) return null;
  const [first = '', second] = specifier.split('/');
  return first.startsWith('@') && second !== undefined ? `${first}/${second}` : first;
}
