import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { namingMissingRight } from './create-forbidden.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { formatMarker } from './marker.js';
import { quoteName, quoteText } from './quote.js';
import { readSchema } from './schema-state.js';

const DUPLICATE_SCHEMA = '42P06';

/** The schema and its marker appear together, so an unmarked schema is never ours. */
export async function createSchema(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<'created' | 'adopted'> {
  const isRace = (code: string): boolean => code === DUPLICATE_SCHEMA;
  return withClient(context, null, signal, (client) =>
    namingMissingRight(client, 'schema', target.name, () =>
      settleRaces(signal, isRace, async () => {
        await ensureExtensionsSchema(context, client);
        const state = await readSchema(client, target.name);
        if (state === null) {
          await makeSchema(client, target);
          return 'created';
        }
        if (state.marker !== null && isSameMarker(state.marker, target.marker)) return 'adopted';
        throw new TenancyError('TENANCY_NAME_TAKEN', {
          name: target.name,
          kind: 'schema',
          owner: describeOwner(state.marker, target.marker),
        });
      }),
    ),
  );
}

async function makeSchema(client: Client, target: TenantTarget): Promise<void> {
  const name = quoteName(target.name);
  await sendTransaction(client, `CREATE SCHEMA ${name}; COMMENT ON SCHEMA ${name} IS ${quoteText(formatMarker(target.marker))}`);
}

/**
 * Makes the shared schema where there is none, open to every role that may be given a tenant. IF NOT EXISTS alone loses a race
 * (23505 on pg_namespace), so it is made under a lock.
 */
async function ensureExtensionsSchema(context: EngineContext, client: Client): Promise<void> {
  if (context.ensuredSchemas.has(context.extensionsSchema)) return;
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [context.extensionsSchema]);
  if (rowCount === 0) {
    const name = quoteName(context.extensionsSchema);
    await sendTransaction(
      client,
      `SELECT pg_advisory_xact_lock(hashtextextended('tenancy:extensions', 0));
       CREATE SCHEMA IF NOT EXISTS ${name}; GRANT USAGE ON SCHEMA ${name} TO PUBLIC`,
    );
  }
  context.ensuredSchemas.add(context.extensionsSchema);
}
