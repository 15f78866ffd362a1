import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { describeOwner } from '../marker.js';
import { codeOf, type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { quoteName } from './quote.js';
import { findReach } from './schema-cascade.js';
import { assertSchemaMarker, isOurs, readSchemaHome, type SchemaState } from './schema-state.js';
import { retainedName } from './working-names.js';

const OUT_OF_LOCKS = '53200';
const NOT_THE_OWNER = '42501';
const SCHEMA_GONE = '3F000';
const STILL_NEEDED = '2BP01';
/** What `assertSchemaMarker` fails with: invalid_text_representation. */
const MARKER_GONE = '22P02';
/** A default server has 6,400 places in its lock table for all of its sessions; this leaves most of them to others. */
const MOST_OBJECTS_AT_ONCE = 1_000;
/** A table of the usual kind counts for 10 to 20 objects: its indexes, types, defaults, constraints, triggers. */
const BATCH_SIZE = 50;
/** Dropping waits for whoever still reads; not for ever, since all others queue up behind it. */
const LOCK_TIMEOUT = '15s';

/**
 * Drops the schema, in one transaction where it is small, else piece by piece: foreign keys, relations from the leaves of partitions
 * upwards, routines, types, and the schema itself with its marker at the very end. So an interrupted drop still shows whose it is.
 */
export async function dropSchema(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<'dropped' | 'absent'> {
  const isRace = (code: string): boolean => code === SCHEMA_GONE || code === MARKER_GONE;
  return withClient(context, null, signal, (client) =>
    settleRaces(signal, isRace, async () => {
      const found = await findDroppable(client, target);
      if (found === null) return 'absent';
      const { name, state } = found;
      refuseForeign(state, target);
      const objects = await measureReach(client, name, { isHalfDropped: false });
      const opening = `SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'; ${assertSchemaMarker(name, state)}`;
      if (objects > MOST_OBJECTS_AT_ONCE) {
        await emptySchema(client, name, opening, signal);
        await measureReach(client, name, { isHalfDropped: true });
      }
      await sendTransaction(client, `${opening}; DROP SCHEMA ${quoteName(name)} CASCADE`);
      return 'dropped';
    }),
  );
}

/** What a drop refuses for; empty where there is nothing to refuse, or to drop. */
export async function planSchemaDrop(client: Client, target: TenantTarget): Promise<readonly string[]> {
  const found = await findDroppable(client, target);
  if (found === null) return [];
  const { name, state } = found;
  if (!isOurs(state, target)) return [`it ${describeOwner(state.marker, target.marker)}`];
  return (await findReach(client, name)).beyond;
}

/** The tenant's schema, whichever of its names it has; else what has its name. */
async function findDroppable(client: Client, target: TenantTarget): Promise<{ readonly name: string; readonly state: SchemaState } | null> {
  const { home, retained } = await readSchemaHome(client, target);
  if (retained !== null && !isOurs(home, target) && isOurs(retained, target))
    return { name: retainedName(target.marker.operation), state: retained };
  return home === null ? null : { name: target.name, state: home };
}

/** How many objects a drop takes. @throws TenancyError `TENANCY_DROP_REFUSED` where others would lose something */
async function measureReach(client: Client, name: string, { isHalfDropped }: { readonly isHalfDropped: boolean }): Promise<number> {
  const { objects, beyond } = await findReach(client, name);
  if (beyond.length > 0) throw new TenancyError('TENANCY_DROP_REFUSED', { name, kind: 'schema', reasons: beyond, isHalfDropped });
  return objects;
}

function refuseForeign(state: SchemaState, target: TenantTarget): void {
  if (isOurs(state, target)) return;
  throw new TenancyError('TENANCY_DROP_REFUSED', {
    name: target.name,
    kind: 'schema',
    reasons: [`it ${describeOwner(state.marker, target.marker)}`],
  });
}

/** First, since a table that all others refer to would take all of their constraints with it at once. */
const FOREIGN_KEYS = `
  SELECT format('ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %I', conrelid::regclass, conname) AS statement
    FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid
   WHERE connamespace = $1::regnamespace AND contype = 'f' AND conparentid = 0 AND relkind = 'r' ORDER BY k.oid`;

/** Leaves before their parents, and newer before older: what was made later more often depends on what was there. */
const RELATIONS = `
  SELECT format('DROP %s IF EXISTS %s', upper(o.type), o.identity) AS statement
    FROM pg_class c, pg_identify_object('pg_class'::regclass, c.oid, 0) o
   WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND ${isOwn('pg_class', 'c.oid')}
     AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'a' AND relkind = 'S')
   ORDER BY relkind = 'S', CASE WHEN relispartition OR relkind = 'p' THEN (SELECT count(*) FROM pg_partition_ancestors(c.oid)) ELSE 0 END DESC, c.oid DESC`;

const ROUTINES = `
  SELECT format('DROP %s IF EXISTS %s', upper(o.type), o.identity) AS statement
    FROM pg_proc p, pg_identify_object('pg_proc'::regclass, p.oid, 0) o
   WHERE pronamespace = $1::regnamespace AND ${isOwn('pg_proc', 'p.oid')} ORDER BY p.oid DESC`;

const TYPES = `
  SELECT format('DROP TYPE IF EXISTS %s', o.identity) AS statement
    FROM pg_type t, pg_identify_object('pg_type'::regclass, t.oid, 0) o
   WHERE typnamespace = $1::regnamespace AND typtype IN ('e', 'd', 'r', 'c') AND ${isOwn('pg_type', 't.oid')}
     AND (typrelid = 0 OR EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c')) ORDER BY t.oid DESC`;

async function emptySchema(client: Client, schema: string, opening: string, signal: AbortSignal): Promise<void> {
  const dropAll = async (list: string): Promise<void> => {
    const { rows } = await client.query<{ statement: string }>(list, [quoteName(schema)]);
    const statements = rows.map(({ statement }) => statement);
    await sendBatches(statements, signal, (batch) => dropPieces(client, schema, opening, batch));
  };
  try {
    await dropAll(FOREIGN_KEYS);
  } catch (error) {
    // The owner of a schema may drop others' tables in it, but not their constraints: these then go with the tables.
    if (codeOf(error) !== NOT_THE_OWNER) throw error;
  }
  for (const list of [RELATIONS, ROUTINES, TYPES]) await dropAll(list);
}

/** Without CASCADE, so that PostgreSQL itself keeps what others have made of them by now; where something rests on them, after another look. */
async function dropPieces(client: Client, schema: string, opening: string, statements: readonly string[]): Promise<void> {
  try {
    await sendTransaction(client, [opening, ...statements].join(';\n'));
  } catch (error) {
    if (codeOf(error) !== STILL_NEEDED) throw error;
    await measureReach(client, schema, { isHalfDropped: true });
    await sendTransaction(client, [opening, ...statements.map((statement) => `${statement} CASCADE`)].join(';\n'));
  }
}

/** Halves the batch where the lock table is too small for it, which it also is while others fill it. */
async function sendBatches(
  statements: readonly string[],
  signal: AbortSignal,
  send: (batch: readonly string[]) => Promise<void>,
): Promise<void> {
  let size = BATCH_SIZE;
  for (let done = 0; done < statements.length; ) {
    signal.throwIfAborted();
    try {
      await send(statements.slice(done, done + size));
      done += size;
    } catch (error) {
      if (codeOf(error) !== OUT_OF_LOCKS || size === 1) throw error;
      size = Math.ceil(size / 2);
    }
  }
}

/** Members of an extension, and parts of something else (a range type's constructors), can't be dropped by themselves; they go with it. */
function isOwn(catalog: string, oid: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend WHERE classid = '${catalog}'::regclass AND objid = ${oid} AND deptype IN ('e', 'i'))`;
}
