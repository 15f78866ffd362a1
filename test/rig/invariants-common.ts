import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** Of a history, as it is promised: SHA-256 of the lines `name:checksum`, sorted bytewise by name. */
export function digestOf(applied: readonly { readonly name: string; readonly checksum: string }[]): string {
  const sorted = [...applied].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  return createHash('sha256')
    .update(sorted.map(({ name, checksum }) => `${name}:${checksum}`).join('\n'))
    .digest('hex');
}

/** Asks again until there is none, or the time is over; resolves to those that are left. */
export async function untilNone<Row>(withinMs: number, list: () => Promise<Row[]>): Promise<Row[]> {
  const end = performance.now() + withinMs;
  for (;;) {
    const found = await list();
    if (found.length === 0 || performance.now() > end) return found;
    await delay(150);
  }
}
