import type { ServerConnection } from './connection.js';
import { readRows } from './engine-context.js';
import { readAccounts } from './ledger.js';
import { quoteAccount, quoteName } from './quote.js';

export interface Account {
  readonly user: string;
  readonly host: string;
}

/** What one account was given on exactly one database. */
export interface DatabaseRights extends Account {
  /** The statements that give it again, as SHOW GRANTS words them. */
  readonly grants: readonly string[];
}

/**
 * Who has rights on exactly this database: written for its name as it is, or with some or all of its wildcards escaped. What is granted on
 * a pattern of another text, or on everything, isn't among them, and neither is what we have ourselves.
 * @param name as the server compares it: where it compares without case it keeps rights for names in lower case.
 */
export async function readRights(connection: ServerConnection, name: string): Promise<readonly DatabaseRights[]> {
  const accounts = await readRows<Account>(
    connection,
    `SELECT User AS user, Host AS host FROM mysql.db WHERE BINARY REPLACE(REPLACE(Db, '\\\\_', '_'), '\\\\%', '%') = ? ` +
      `UNION SELECT User, Host FROM mysql.tables_priv WHERE BINARY Db = ? UNION SELECT User, Host FROM mysql.procs_priv WHERE BINARY Db = ?`,
    [name, name, name],
  );
  const [self] = await readRows<{ login: string }>(connection, 'SELECT CURRENT_USER() AS login');
  const rights: DatabaseRights[] = [];
  for (const account of accounts) {
    if (`${account.user}@${account.host}` === self?.login) continue;
    const rows = await readRows(connection, `SHOW GRANTS FOR ${nameAccount(account)}`);
    const grants = rows.map((row) => String(Object.values(row)[0])).filter((grant) => isOn(grant, name));
    if (grants.length > 0) rights.push({ ...account, grants });
  }
  return rights;
}

/**
 * Who may use this database by a grant on a pattern that covers it: left alone, as it is on other tenants' databases too. Who has rights on everything isn't
 * among them. LIKE escapes as the server's own comparison does (https://dev.mysql.com/doc/refman/8.4/en/grant.html#grant-database-privileges).
 */
export function readCovering(connection: ServerConnection, name: string): Promise<readonly Account[]> {
  return readRows<Account>(
    connection,
    `SELECT DISTINCT User AS user, Host AS host FROM mysql.db WHERE ? LIKE Db ` +
      `AND BINARY REPLACE(REPLACE(Db, '\\\\_', '_'), '\\\\%', '%') <> ? AND CONCAT(User, '@', Host) <> CURRENT_USER()`,
    [name, name],
  );
}

/** Each GRANT turned round; what somebody else has revoked meanwhile is passed over. */
export async function revokeRights(connection: ServerConnection, rights: readonly DatabaseRights[]): Promise<void> {
  for (const { grants } of rights) {
    for (const grant of grants) {
      for (const revoke of toRevokes(grant)) {
        await connection.send(revoke).catch((error: { errno?: number }) => {
          // ER_NONEXISTING_GRANT, ER_NONEXISTING_TABLE_GRANT, ER_NONEXISTING_PROC_GRANT
          if (![1141, 1147, 1403].includes(error.errno ?? 0)) throw error;
        });
      }
    }
  }
}

/** Rights outlive their database, and would open the next one of that name to whoever had them. Logins made for the home go too. */
export async function dropRights(connection: ServerConnection, key: string): Promise<void> {
  await revokeRights(connection, await readRights(connection, key));
  for (const account of await readAccounts(connection, key)) await connection.send(`DROP USER IF EXISTS ${quoteAccount(account)}`);
}

/** True for an account that may do nothing anywhere else: it was made for this database. */
export async function isDedicated(connection: ServerConnection, { grants, ...account }: DatabaseRights): Promise<boolean> {
  const rows = await readRows(connection, `SHOW GRANTS FOR ${nameAccount(account)}`);
  const others = rows.map((row) => String(Object.values(row)[0])).filter((grant) => !grants.includes(grant));
  return others.every((grant) => /^GRANT USAGE ON \*\.\* /.test(grant));
}

/** Without a host the account is a role of MariaDB's, or PUBLIC. */
function nameAccount(account: Account): string {
  return account.host === '' ? quoteName(account.user) : quoteAccount(account);
}

/** ``GRANT … ON `name`.* TO …``, ``… ON TABLE `name`.`t` …``, ``… ON PROCEDURE `name`.`p` …`` */
function isOn(grant: string, name: string): boolean {
  const [, database = ''] = /^`((?:[^`]|``)*)`\./.exec(targetOf(grant) ?? '') ?? [];
  return database.replaceAll('``', '`').replace(/\\([_%])/g, '$1') === name;
}

const GRANT =
  /^GRANT (.+?) ON (?:(TABLE|PROCEDURE|FUNCTION|PACKAGE(?: BODY)?) )?((?:`(?:[^`]|``)*`|\*)\.(?:`(?:[^`]|``)*`|\*)) TO (.+?)( WITH GRANT OPTION)?$/;

function targetOf(grant: string): string | null {
  return GRANT.exec(grant)?.[3] ?? null;
}

function toRevokes(grant: string): string[] {
  const [, rights = '', kind, on = '', to = '', withOption] = GRANT.exec(grant) ?? [];
  const grantee = to.replace(/ (?:IDENTIFIED|REQUIRE|WITH) .*$/, '');
  const target = `${kind === undefined ? '' : `${kind} `}${on} FROM ${grantee}`;
  return [...(withOption === undefined ? [] : [`REVOKE GRANT OPTION ON ${target}`]), `REVOKE ${rights} ON ${target}`];
}
