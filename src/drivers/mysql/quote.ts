/**
 * An identifier, quoted; doubles backticks inside, so that any name stays one name. Not mysql2's `escapeId`, which
 * makes two names of `a.b`.
 */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A string literal, right while NO_BACKSLASH_ESCAPES is off, as our sessions have it. */
export function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\0', '\\0')}'`;
}

/** `'user'@'host'`. */
export function quoteAccount({ user, host }: { readonly user: string; readonly host: string }): string {
  return `${quoteText(user)}@${quoteText(host)}`;
}
