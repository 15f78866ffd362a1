/**
 * What every store takes: PostgreSQL keeps no U+0000, and neither it nor MySQL half of a surrogate pair. The output of a hook may hold
 * either, and one such text would fail the whole batch of tenants that it travels with.
 */
export function toKeepable(text: string): string {
  return text.replaceAll('\0', '\ufffd').replace(/\p{Cs}/gu, '\ufffd');
}

/** JSON with keepable texts. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => (typeof member === 'string' ? toKeepable(member) : member));
}
