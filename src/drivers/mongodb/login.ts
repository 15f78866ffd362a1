import type { Document } from 'mongodb';

export interface Login {
  readonly user: string;
  /** Where the user is defined. */
  readonly db: string;
}

/** From what `connectionStatus` answers; null where nobody has logged in. */
export function loginOf(connection: Document): Login | null {
  const [login] = (connection['authInfo']?.authenticatedUsers ?? []) as readonly Login[];
  return login ?? null;
}

/** For mongosh. The built-in roles for all databases are those of `admin`. */
export function formatGrant({ user, db }: Login, role: string): string {
  const quote = (text: string): string => JSON.stringify(text);
  return `db.getSiblingDB(${quote(db)}).grantRolesToUser(${quote(user)}, [{ role: ${quote(role)}, db: "admin" }])`;
}
