import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { AccessChange, TenantTarget } from '../driver.js';
import { describeOwner } from '../marker.js';
import { markRetained, markUnretained } from '../retention.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { formatMarker, type MarkerComment } from './marker.js';
import { quoteName, quoteText } from './quote.js';
import { assertSchemaMarker, isOurs, readSchemaHome, type SchemaState } from './schema-state.js';
import { retainedName } from './working-names.js';

const TERMINATE_TIMEOUT_MS = 5_000;
const MOST_LOOKS = 20;

/** Somebody renamed or dropped one of the two meanwhile, or has taken a name. */
const RACES: ReadonlySet<string> = new Set(['42P06', '3F000', '22P02']);

/**
 * Schema tenants share the login of the application, whose sessions can't be told apart: so the schema gets another name, and whatever a session
 * says next of its tables it says of nothing. Plans that were made before are made anew, and fail. A transaction that holds a table of it would
 * go on to its end: its session is ended.
 *
 * Rights, defaults and foreign keys are kept by number, and marker and owner with the schema. What names the schema in its text (the body of a
 * function) fails meanwhile, and is right again when the schema has its name back.
 */
export async function retainSchema(
  context: EngineContext,
  target: TenantTarget,
  operation: string,
  signal: AbortSignal,
): Promise<AccessChange> {
  const kept = retainedName(target.marker.operation);
  return withClient(context, null, signal, async (client) => {
    await settleRaces(
      signal,
      (code) => RACES.has(code),
      async () => {
        const { home, retained } = await readSchemaHome(client, target);
        const found = [home, retained].find((state) => isOurs(state, target)) ?? null;
        if (found?.marker == null) throw refused(target, home);
        const marker = markRetained(found.marker, operation);
        if (found === home) await renameSchema(client, { from: target.name, to: kept }, home, marker);
      },
    );
    const ended = await endTransactions(client, kept, signal);
    const sessions = ended === 0 ? '' : `, and ${ended === 1 ? 'a session' : `${ended} sessions`} in the middle of a transaction ended`;
    return { isEnforced: true, detail: `renamed to ${kept}${sessions}` };
  });
}

export async function unretainSchema(
  context: EngineContext,
  target: TenantTarget,
  { operation, isOver }: { readonly operation: string; readonly isOver: boolean },
  signal: AbortSignal,
): Promise<AccessChange> {
  const kept = retainedName(target.marker.operation);
  return withClient(context, null, signal, (client) =>
    settleRaces(
      signal,
      (code) => RACES.has(code),
      async () => {
        const { home, retained } = await readSchemaHome(client, target);
        const found = [home, retained].find((state) => isOurs(state, target)) ?? null;
        if (found?.marker == null) throw refused(target, home);
        const marker = markUnretained(found.marker, operation, isOver);
        if (found === home) {
          if (home.marker?.undeleted !== marker.undeleted) await remark(client, target.name, home, marker);
          return { isEnforced: true, detail: 'it had its name already' };
        }
        if (home !== null) {
          const owner = describeOwner(home.marker, target.marker);
          throw new TenancyError('TENANCY_NAME_TAKEN', { name: target.name, kind: 'schema', owner });
        }
        await renameSchema(client, { from: kept, to: target.name }, found, marker);
        return { isEnforced: true, detail: `${target.name} has its name back` };
      },
    ),
  );
}

/** The marker is looked at behind the rename, which holds the schema's row: so nobody can have put another in its place in between. */
async function renameSchema(
  client: Client,
  { from, to }: { readonly from: string; readonly to: string },
  state: SchemaState,
  marker: MarkerComment,
): Promise<void> {
  const rename = `ALTER SCHEMA ${quoteName(from)} RENAME TO ${quoteName(to)}`;
  await sendTransaction(client, `${rename}; ${assertSchemaMarker(to, state)}; ${commentOn(to, marker)}`);
}

async function remark(client: Client, name: string, state: SchemaState, marker: MarkerComment): Promise<void> {
  await sendTransaction(client, `${assertSchemaMarker(name, state)}; ${commentOn(name, marker)}`);
}

function commentOn(name: string, marker: MarkerComment): string {
  return `COMMENT ON SCHEMA ${quoteName(name)} IS ${quoteText(formatMarker(marker))}`;
}

/** Sessions that hold a table, a sequence or a view of the schema, and have a user: the server's own workers go by themselves. */
const END_HOLDERS = `
  SELECT pg_terminate_backend(pid, ${TERMINATE_TIMEOUT_MS}) FROM (
    SELECT DISTINCT pid FROM pg_locks JOIN pg_class c ON c.oid = relation JOIN pg_stat_activity USING (pid)
     WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND granted AND pid <> pg_backend_pid() AND usesysid IS NOT NULL AND relnamespace = to_regnamespace($1::text)::oid) AS holders`;

async function endTransactions(client: Client, schema: string, signal: AbortSignal): Promise<number> {
  let ended = 0;
  for (let look = 1; ; look++) {
    signal.throwIfAborted();
    const { rowCount } = await client.query(END_HOLDERS, [quoteName(schema)]);
    if (rowCount === 0) return ended;
    ended += rowCount ?? 0;
    if (look === MOST_LOOKS) {
      throw new TenancyError('TENANCY_ACCESS_REFUSED', {
        name: schema,
        kind: 'schema',
        owner: `is held by transactions that don't end when they are told to`,
      });
    }
  }
}

function refused({ name, marker }: TenantTarget, home: SchemaState | null): TenancyError {
  const owner = home === null ? 'is not there' : describeOwner(home.marker, marker);
  return new TenancyError('TENANCY_ACCESS_REFUSED', { name, kind: 'schema', owner });
}
