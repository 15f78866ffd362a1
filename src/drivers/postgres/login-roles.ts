import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { loginNames } from '../login-names.js';
import { isSameMarker } from '../marker.js';
import { parseMarker } from './marker.js';

export interface TenantRole {
  readonly name: string;
  readonly canLogin: boolean;
  readonly isOurs: boolean;
}

const READ_ROLES = `
  SELECT rolname AS name, rolcanlogin AS can_login, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = ANY ($1::text[]) ORDER BY rolname`;

/** The roles of these names, ours or not, by name. */
export async function readRoles(client: Client, { marker }: TenantTarget): Promise<ReadonlyMap<string, TenantRole>> {
  const { group, logins } = loginNames(marker);
  const { rows } = await client.query<{ name: string; can_login: boolean; comment: string | null }>(READ_ROLES, [[group, ...logins]]);
  return new Map(
    rows.map(({ name, can_login, comment }) => {
      const found = parseMarker(comment);
      return [name, { name, canLogin: can_login, isOurs: found !== null && isSameMarker(found, marker) }];
    }),
  );
}

export function refuseStrangers({ marker }: TenantTarget, roles: ReadonlyMap<string, TenantRole>): void {
  for (const { name, isOurs } of roles.values()) {
    if (!isOurs) throw new TenancyError('TENANCY_LOGIN_TAKEN', { tenant: marker.tenant, login: name });
  }
}

const TERMINATE_TIMEOUT_MS = 1_000;
/** One that was let in a moment before its login was locked turns up a moment later. */
const LATE_MS = 30;
const LOOKS = 20;

/** In whichever database they are, until twice in a row none is found. */
export async function endSessions(client: Client, logins: readonly string[], signal: AbortSignal): Promise<void> {
  if (logins.length === 0) return;
  const sql = 'SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity WHERE usename = ANY ($1::text[])';
  for (let looks = 0, empty = 0; looks < LOOKS && empty < 2; looks++) {
    const { rowCount } = await client.query(sql, [logins, TERMINATE_TIMEOUT_MS]);
    empty = rowCount === 0 ? empty + 1 : 0;
    if (empty < 2) await delay(LATE_MS, undefined, { signal });
  }
}
