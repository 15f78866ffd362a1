import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { openRegistry } from '../../src/registry/index.js';
import { verifyAudit } from '../../src/runs/audit/verify-audit.js';

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

/** What is wrong with the audit trail, every event of which is read: killed anywhere, raced by however many, no chain has forked or has a gap. */
export async function findBrokenChains(registryUrl: string): Promise<string[]> {
  const registry = await openRegistry({ url: registryUrl, create: false, applicationName: 'rig' });
  try {
    const { breaks } = await verifyAudit(registry);
    return breaks.map(({ tenant, reason }) => `${tenant ?? "the registry's own events"}: ${reason}`);
  } finally {
    await registry.close();
  }
}
