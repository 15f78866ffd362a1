import { toKeepable } from '../keepable.js';

/**
 * What a document takes of a value that comes from elsewhere, such as the options of a run or the output of a hook. BSON ends field names
 * at U+0000, and the server reads a `.` or a leading `$` in some of them as its own, so they are written `%00`, `%2E` and `%24`. Texts are
 * made what PostgreSQL's jsonb keeps too: one text must not fail the whole batch of tenants that it travels with.
 */
export function toStored<T>(value: T): T {
  return mapValue(value, toKeepable, escapeName) as T;
}

/** The names as they were. */
export function fromStored<T>(value: T): T {
  return mapValue(value, (text) => text, unescapeName) as T;
}

function mapValue(value: unknown, mapText: (text: string) => string, mapName: (name: string) => string): unknown {
  if (typeof value === 'string') return mapText(value);
  if (Array.isArray(value)) return value.map((member) => mapValue(member ?? null, mapText, mapName));
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value.toISOString();
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [mapName(name), mapValue(member, mapText, mapName)]),
  );
}

function escapeName(name: string): string {
  return toKeepable(name.replace(/[%.$\0]/g, (sign) => `%${sign.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`));
}

function unescapeName(name: string): string {
  return name.replace(/%(25|2E|24|00)/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}
