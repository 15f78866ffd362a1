/**
 * JSON that jsonb takes. PostgreSQL keeps no U+0000 and no half of a surrogate pair, and the output of a hook may hold either: one such
 * text would fail the whole batch of tenants that it travels with.
 */
export function toJsonb(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => (typeof member === 'string' ? toKeepable(member) : member));
}

function toKeepable(text: string): string {
  return text.replaceAll('\0', '\ufffd').replace(/\p{Cs}/gu, '\ufffd');
}
