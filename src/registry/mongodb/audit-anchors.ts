import { createHash } from 'node:crypto';
import { hashEvent, NO_HASH } from '../../util/hash-chain.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import { fieldsOf, recordEvents, toChain } from './events.js';
import { tick } from './tick.js';

/** Begins a chain for each tenant that has events and no chain: with how many there are, and a hash over them. Bears being broken off and begun again. */
export async function anchorChains(db: RegistryConnection): Promise<void> {
  const { events } = db.collections;
  const tenants = await db.send(() => events.distinct('tenant', {}));
  for (const tenant of tenants as readonly (string | null)[]) {
    await db.transact(async (session) => {
      const isBegun = await db.collections.heads.findOne({ _id: toChain(tenant) }, { session });
      if (isBegun !== null) return;
      const digest = createHash('sha256');
      let count = 0;
      for await (const document of events.find({ tenant }, { ...IN_ONE_BATCH, session }).sort({ _id: 1 })) {
        digest.update(hashEvent(0, fieldsOf(document), NO_HASH));
        count += 1;
      }
      const data = { events: count, digest: digest.digest('hex') };
      await recordEvents(db, session, await tick(db, 1), [{ tenant, type: 'audit.anchored', data }]);
    });
  }
}
