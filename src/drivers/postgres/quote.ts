/** An identifier, quoted; doubles quotes inside, so that any name stays one name. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string literal for statements that take no parameters. The E form doesn't depend on `standard_conforming_strings`. */
export function quoteText(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** The value of `search_path`. */
export function quotePath(schemas: readonly string[]): string {
  return schemas.map(quoteName).join(', ');
}
