import path from 'node:path';
import type { BackupSource, BackupWork, TenantTarget } from '../../driver.js';
import { codeOf, type EngineContext, sendTransaction, withClient } from '../engine-context.js';
import { formatMarker } from '../marker.js';
import { quoteName, quoteText } from '../quote.js';
import { giveFence } from './give-fence.js';
import { loadArchive } from './load.js';
import { planRename } from './old-names.js';
import { renameInDatabase } from './rename-in-database.js';

const DUPLICATE_SCHEMA = '42P06';

/**
 * A dump of a schema can only be loaded under the name that was dumped; PostgreSQL itself then renames it, and with it whatever refers to it by more
 * than a text. So under another name it goes
 *
 * ```
 * the old name is free:   ──load──→ old name, marked as the new tenant's ──rename──→ home
 * somebody has it:        ──load──→ database of its own ──rename, dump──→ archive ──load──→ home
 * ```
 */
export async function restoreSchema(
  context: EngineContext,
  target: TenantTarget,
  source: BackupSource,
  work: BackupWork & { readonly fence: number },
): Promise<void> {
  const files = { archive: source.path, scratch: work.scratch };
  if (source.name === target.name) {
    await loadArchive(context, target, { database: null, schema: target.name }, files, work);
  } else if (await reserve(context, { ...target, name: source.name }, work.signal)) {
    await loadArchive(context, target, { database: null, schema: source.name }, files, work);
    await withClient(context, null, work.signal, async (client) => {
      const rename = await planRename(client, target.marker.tenant, source.name, target.name);
      // Without CASCADE: it is empty, or something is wrong.
      await sendTransaction(client, `DROP SCHEMA ${quoteName(target.name)}; ${rename}`);
    });
  } else {
    const archive = path.join(work.scratch, 'renamed.dump');
    await renameInDatabase(context, target, source, archive, work);
    await loadArchive(context, target, { database: null, schema: target.name }, { ...files, archive }, work);
  }
  await withClient(context, null, work.signal, (client) => giveFence(client, target.name, work.fence));
}

/** False: somebody has the name. What is made of it is marked as the tenant's from the first moment. */
async function reserve(context: EngineContext, home: TenantTarget, signal: AbortSignal): Promise<boolean> {
  return withClient(context, null, signal, async (client) => {
    const name = quoteName(home.name);
    try {
      await sendTransaction(client, `CREATE SCHEMA ${name}; COMMENT ON SCHEMA ${name} IS ${quoteText(formatMarker(home.marker))}`);
      return true;
    } catch (error) {
      if (codeOf(error) !== DUPLICATE_SCHEMA) throw error;
      return false;
    }
  });
}
