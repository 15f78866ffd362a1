import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { CreateOptions, HomeTemplate, TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { namingMissingRight } from './create-forbidden.js';
import { isTemplateOf, readDatabases, readHome } from './database-state.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { formatMarker } from './marker.js';
import { quoteName, quoteText } from './quote.js';
import { draftName } from './working-names.js';

/** Somebody made, renamed or dropped one of the two names meanwhile (an earlier attempt of ours that was still running, say). */
const RACES: ReadonlySet<string> = new Set([
  '42P04', // duplicate_database
  '3D000', // invalid_catalog_name: renamed by another
  '55006', // object_in_use: somebody looked into it
]);

/**
 * ```
 * (absent) ──CREATE──→ draft `tenancy_op_<operation>` ──COMMENT + RENAME──→ home, marked
 * ```
 * Looks at what there is and takes one step from there, until the home is there: so a CREATE DATABASE that ends after its client
 * has died, or that another attempt of the same operation runs, is taken up and not fallen over.
 */
export async function createDatabase(
  context: EngineContext,
  target: TenantTarget,
  signal: AbortSignal,
  { template = null, ready }: CreateOptions,
): Promise<'created' | 'adopted' | 'copied'> {
  let hasBegun = false;
  let made: 'created' | 'adopted' | 'copied' = 'adopted';
  const attempt = async (client: Client): Promise<typeof made> => {
    const found = await readDatabases(client, [target.name, draftName(target.marker.operation), template?.name ?? '']);
    await ready;
    const home = found.get(target.name) ?? null;
    const draft = found.get(draftName(target.marker.operation)) ?? null;
    if (home !== null) {
      const isSame = home.marker !== null && isSameMarker(home.marker, target.marker);
      if (!isSame || home.isHalfDropped) {
        throw new TenancyError('TENANCY_NAME_TAKEN', {
          name: target.name,
          kind: 'database',
          owner: isSame ? 'was interrupted while it was being dropped' : describeOwner(home.marker, target.marker),
        });
      }
      // Two attempts made one each, and the other's has become the home.
      if (draft !== null) await dropDraft(client, target);
      return made;
    }
    if (draft === null) {
      hasBegun = true;
      // Somebody may have dropped it since it was found, or put another in its place.
      const source = template !== null && isTemplateOf(template.registry, found.get(template.name)) ? template : null;
      await client.query(formatCreateDraft(target.marker.operation, source));
      made = source === null ? 'created' : 'copied';
    }
    await finishDraft(client, target);
    return made;
  };
  try {
    return await withClient(context, null, signal, (client) =>
      namingMissingRight(client, 'database', target.name, () =>
        settleRaces(
          signal,
          (code) => RACES.has(code),
          () => attempt(client),
        ),
      ),
    );
  } catch (error) {
    if (hasBegun && signal.aborted) await dropSuperfluousDraft(context, target);
    throw error;
  }
}

/**
 * For an attempt that was stopped past its lease, and whose CREATE DATABASE came through when another had the home ready: nobody
 * would look for it any more. Without a home it is left to the next attempt. What fails here is told by nobody: the abort is.
 */
async function dropSuperfluousDraft(context: EngineContext, target: TenantTarget): Promise<void> {
  await withClient(context, null, undefined, async (client) => {
    const { home, draft } = await readHome(client, target);
    const isMade = home?.marker != null && isSameMarker(home.marker, target.marker);
    if (isMade && draft !== null) await dropDraft(client, target);
  }).catch(() => undefined);
}

async function dropDraft(client: Client, target: TenantTarget): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS ${quoteName(draftName(target.marker.operation))} WITH (FORCE)`);
}

/**
 * From template0: nobody can be connected to it, whereas one session in template1 fails every CREATE DATABASE with 55006; and
 * what somebody once left in template1 doesn't turn up in every tenant. CONNECT stays granted to PUBLIC, as PostgreSQL has it.
 */
export function formatCreateDraft(operation: string, template: HomeTemplate | null = null): string {
  if (template === null) return `${createDraftStart(operation)}template0`;
  const { name, strategy } = template;
  return `${createDraftStart(operation)}${quoteName(name)}${strategy === null ? '' : ` STRATEGY ${strategy}`}`;
}

/** By which the statement is known where it runs on. */
export function createDraftStart(operation: string): string {
  return `CREATE DATABASE ${quoteName(draftName(operation))} TEMPLATE `;
}

async function finishDraft(client: Client, target: TenantTarget): Promise<void> {
  const draft = quoteName(draftName(target.marker.operation));
  const comment = quoteText(formatMarker(target.marker));
  await sendTransaction(client, `COMMENT ON DATABASE ${draft} IS ${comment}; ALTER DATABASE ${draft} RENAME TO ${quoteName(target.name)}`);
}
