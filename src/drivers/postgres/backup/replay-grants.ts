import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from 'pg';
import type { SqlToken } from '../../../migrations/sql/lex.js';
import { parseSqlScript, type SqlScript, type SqlStatement } from '../../../migrations/sql/script.js';
import { unquoteName } from '../../../migrations/sql/words.js';
import type { BackupWork } from '../../driver.js';
import { isLoginName } from '../../login-names.js';
import { codeOf, sendTransaction } from '../engine-context.js';
import { quoteName } from '../quote.js';
import { restoreEntries } from './contents.js';

/** undefined_object: a role that has gone since. */
const ROLE_GONE = '42704';

/**
 * Who may do what, as far as those are still there to whom it was granted. pg_restore sends all grants of an object at once, so that one role that has
 * gone takes the others' with it; here each is sent by itself.
 *
 * `owner`: as whom, who owns the home and nothing else; so a statement that a name with a line break in it has smuggled in gives away nothing of
 * anybody else's. What is granted ahead on what others will make only they (or a superuser) can say: such are held to the schema.
 */
export async function replayGrants(
  client: Client,
  { archive, scratch, entries }: { readonly archive: string; readonly scratch: string; readonly entries: readonly string[] },
  { owner, schema }: { readonly owner: string | null; readonly schema: string | null },
  work: BackupWork,
): Promise<void> {
  if (entries.length === 0) return;
  const file = path.join(scratch, 'grants.sql');
  await restoreEntries(archive, entries, { scratch, name: 'grants', args: ['--file', file] }, work, {});
  const script = parseSqlScript(await readFile(file, 'utf8'));
  for (const statement of script.statements) {
    work.signal.throwIfAborted();
    const isDefault = isDefaultGrant(script, statement, schema);
    if (!isDefault && statement.words[0] !== 'GRANT' && statement.words[0] !== 'REVOKE') continue;
    const text = script.sql.slice(statement.start, statement.end);
    // The logins of whoever the data was of; the tenant's own are given theirs anew.
    if (isOfTenantLogin(script, statement)) continue;
    const asOwner = owner === null || isDefault ? '' : `SET LOCAL ROLE ${quoteName(owner)}; `;
    try {
      await sendTransaction(client, `${asOwner}${text}`);
    } catch (error) {
      if (codeOf(error) !== ROLE_GONE) throw error;
      work.log(`left out, since the role has gone: ${text}`);
    }
  }
}

/** The role that it is granted to, or taken from, is one that tenancy has made for a tenant. */
function isOfTenantLogin({ sql }: SqlScript, { words, tokens }: SqlStatement): boolean {
  const at = Math.max(words.lastIndexOf('TO'), words.lastIndexOf('FROM')) + 1;
  const token = tokens[at];
  return token !== undefined && isLoginName(nameOf(sql, token));
}

function nameOf(sql: string, token: SqlToken): string {
  const text = sql.slice(token.start, token.end);
  return token.type === 'quoted' ? unquoteName(text) : text.toLowerCase();
}

/** `ALTER DEFAULT PRIVILEGES FOR ROLE x IN SCHEMA y …` of this schema; of any, in a database of the tenant's own. */
function isDefaultGrant({ sql }: SqlScript, { words, tokens }: SqlStatement, schema: string | null): boolean {
  if (words[0] !== 'ALTER' || words[1] !== 'DEFAULT' || words[2] !== 'PRIVILEGES') return false;
  if (schema === null) return true;
  const [, , , , , , inWord, schemaWord] = words;
  const token = tokens[8];
  if (inWord !== 'IN' || schemaWord !== 'SCHEMA' || token === undefined) return false;
  return nameOf(sql, token) === schema;
}
