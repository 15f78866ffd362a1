import type { HomeInspection, HomeRight, Mendable, StructureItem, TenantTarget } from '../driver.js';
import type { Row, ServerConnection } from './connection.js';
import { type EngineContext, readRows, withConnection } from './engine-context.js';
import { OWN_TABLES } from './home-state.js';
import { quoteAccount, quoteName, quoteText } from './quote.js';
import { readTable } from './read-table.js';

export async function inspectDatabase(
  context: EngineContext,
  { name }: TenantTarget,
  { structure }: { readonly structure: boolean },
  signal: AbortSignal,
): Promise<HomeInspection> {
  return withConnection(context, signal, async (connection) => ({
    nameInText: name,
    quotedName: quoteName(name),
    // An index of these servers is there as a whole or not at all.
    invalidIndexes: [],
    lacking: [],
    rights: await readHomeRights(connection, name),
    structure: structure ? await readStructure(connection, name) : null,
  }));
}

async function readStructure(connection: ServerConnection, name: string): Promise<readonly StructureItem[]> {
  const listed = await readRows<{ name: string; type: string }>(
    connection,
    `SELECT TABLE_NAME AS name, TABLE_TYPE AS type FROM information_schema.TABLES WHERE BINARY TABLE_SCHEMA = ? AND TABLE_NAME NOT IN (?) ORDER BY 1`,
    [name, [...OWN_TABLES]],
  );
  const items: StructureItem[] = [];
  // As the server itself writes them, many in one message: on this much both servers, in all their versions, agree.
  const shown = listed.filter(({ type }) => type !== 'VIEW');
  for (let at = 0; at < shown.length; at += SHOWN_AT_ONCE) {
    const some = shown.slice(at, at + SHOWN_AT_ONCE);
    const asked = some.map(
      ({ name: table, type }) => `SHOW CREATE ${type === 'SEQUENCE' ? 'SEQUENCE' : 'TABLE'} ${quoteName(name)}.${quoteName(table)}`,
    );
    const answers = await connection.send(asked.join('; '));
    for (const [index, { name: table, type }] of some.entries()) {
      const created = String(Object.values(answers[index]?.rows[0] ?? {})[1] ?? '');
      if (type === 'SEQUENCE') items.push({ kind: 'sequence', name: table, of: null, definition: created.replace(/^.*?` /, '') });
      else items.push(...readTable(table, created));
    }
  }
  for (const { kind, sql } of OTHERS) {
    const rows = await readRows(connection, sql, [name]);
    for (const row of rows)
      items.push({ kind, name: String(row['name']), of: row['of'] == null ? null : `table ${String(row['of'])}`, definition: define(row) });
  }
  return items;
}

const SHOWN_AT_ONCE = 50;

/** What the catalogue tells of the things that are no tables. Who defined them, when, and with which comment is left out. */
const OTHERS: readonly { readonly kind: string; readonly sql: string }[] = [
  {
    kind: 'database',
    sql: `SELECT 'default' AS name, DEFAULT_CHARACTER_SET_NAME AS \`charset\`, DEFAULT_COLLATION_NAME AS \`collation\` FROM information_schema.SCHEMATA WHERE BINARY SCHEMA_NAME = ?`,
  },
  {
    kind: 'view',
    sql: `SELECT TABLE_NAME AS name, VIEW_DEFINITION AS \`definition\`, CHECK_OPTION AS \`checks\`, SECURITY_TYPE AS \`security\` FROM information_schema.VIEWS WHERE BINARY TABLE_SCHEMA = ? ORDER BY 1`,
  },
  {
    kind: 'routine',
    sql: `SELECT ROUTINE_NAME AS name, ROUTINE_TYPE AS \`type\`, DTD_IDENTIFIER AS \`answers\`, ROUTINE_DEFINITION AS \`definition\`, IS_DETERMINISTIC AS \`deterministic\`, SQL_DATA_ACCESS AS \`data\`,
                 SECURITY_TYPE AS \`security\`, (SELECT GROUP_CONCAT(COALESCE(PARAMETER_MODE, ''), ' ', PARAMETER_NAME, ' ', DTD_IDENTIFIER ORDER BY ORDINAL_POSITION) FROM information_schema.PARAMETERS p
                   WHERE p.SPECIFIC_SCHEMA = r.ROUTINE_SCHEMA AND p.SPECIFIC_NAME = r.SPECIFIC_NAME AND p.ORDINAL_POSITION > 0) AS \`parameters\`
            FROM information_schema.ROUTINES r WHERE BINARY ROUTINE_SCHEMA = ? ORDER BY 1`,
  },
  {
    kind: 'trigger',
    sql: `SELECT TRIGGER_NAME AS name, EVENT_OBJECT_TABLE AS \`of\`, ACTION_TIMING AS \`timing\`, EVENT_MANIPULATION AS \`event\`, ACTION_STATEMENT AS \`definition\` FROM information_schema.TRIGGERS
           WHERE BINARY TRIGGER_SCHEMA = ? ORDER BY 1`,
  },
  {
    kind: 'event',
    sql: `SELECT EVENT_NAME AS name, EVENT_TYPE AS \`type\`, INTERVAL_VALUE AS \`every\`, INTERVAL_FIELD AS \`unit\`, STATUS AS \`status\`, EVENT_DEFINITION AS \`definition\` FROM information_schema.EVENTS
           WHERE BINARY EVENT_SCHEMA = ? ORDER BY 1`,
  },
];

function define(row: Row): string {
  const { name: _, of: __, ...facts } = row;
  return Object.values(facts)
    .filter((value) => value !== null)
    .map(String)
    .join(' ');
}

/**
 * Who was given rights on this database by its name. `_` and `%` in a grant stand for any character unless they are escaped: one that was written
 * for this database without that covers others too. What is granted on everything, or on a pattern of another text, was meant for more than one.
 * Nothing where the login may not look.
 */
async function readHomeRights(connection: ServerConnection, name: string): Promise<readonly HomeRight[]> {
  const sql =
    `SELECT g.Db AS pattern, g.User AS user, g.Host AS host, (SELECT s.SCHEMA_NAME FROM information_schema.SCHEMATA s WHERE s.SCHEMA_NAME LIKE g.Db ` +
    `AND BINARY s.SCHEMA_NAME <> ${quoteText(name)} ORDER BY 1 LIMIT 1) AS covers FROM mysql.db g ` +
    `WHERE BINARY REPLACE(REPLACE(g.Db, '\\\\_', '_'), '\\\\%', '%') = ${quoteText(name)} ORDER BY 2, 3`;
  const rows = await readRows<{ pattern: string; user: string; host: string; covers: string | null }>(connection, sql).catch(() => []);
  const escaped = name.replace(/[_%]/g, '\\$&');
  return rows.map(({ pattern, user, host, covers }) => {
    const account = host === '' ? quoteName(user) : quoteAccount({ user, host });
    const revoke = `REVOKE ALL PRIVILEGES ON ${quoteName(pattern)}.* FROM ${account}`;
    const grantee = `${user}@${host}`;
    if (covers === null) return { grantee, right: 'rights on the database', revoke };
    const narrowed = `give ${account} the same on ${quoteName(escaped)}.*, then ${revoke}`;
    return { grantee, right: `rights on the pattern ${quoteName(pattern)}`, revoke: narrowed, covers };
  });
}

export async function mendDatabase(context: EngineContext, what: Mendable, signal: AbortSignal): Promise<string> {
  // Indexes are never half built here, and what is to be done about a pattern a person says.
  if (what.type === 'index' || what.right.covers !== undefined) throw new Error('there is nothing to mend');
  const { revoke } = what.right;
  await withConnection(context, signal, (connection) => connection.send(revoke));
  return revoke;
}
