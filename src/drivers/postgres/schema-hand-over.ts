import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { formatMarker } from './marker.js';
import { quoteName, quoteText } from './quote.js';
import { readSchema, type SchemaState } from './schema-state.js';

/** Somebody has taken the name meanwhile, or renamed or dropped it. */
const RACES: ReadonlySet<string> = new Set(['42P06', '3F000']);

/** As for a database: marker and name change in one transaction. */
export async function handOverSchema(
  context: EngineContext,
  spare: TenantTarget,
  target: TenantTarget,
  signal: AbortSignal,
): Promise<'handed-over' | 'adopted' | 'absent'> {
  return withClient(context, null, signal, (client) =>
    settleRaces(
      signal,
      (code) => RACES.has(code),
      async () => {
        const home = await readSchema(client, target.name);
        if (home !== null) {
          if (isMarkedAs(home, target)) return 'adopted';
          const owner = describeOwner(home.marker, target.marker);
          throw new TenancyError('TENANCY_NAME_TAKEN', { name: target.name, kind: 'schema', owner });
        }
        const made = await readSchema(client, spare.name);
        if (made === null || !isMarkedAs(made, spare)) return 'absent';
        const name = quoteName(spare.name);
        const comment = quoteText(formatMarker(target.marker));
        await sendTransaction(client, `COMMENT ON SCHEMA ${name} IS ${comment}; ALTER SCHEMA ${name} RENAME TO ${quoteName(target.name)}`);
        return 'handed-over';
      },
    ),
  );
}

function isMarkedAs({ marker }: SchemaState, target: TenantTarget): boolean {
  return marker !== null && isSameMarker(marker, target.marker);
}
