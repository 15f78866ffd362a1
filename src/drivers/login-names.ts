import { createHash } from 'node:crypto';
import type { Marker } from './driver.js';

/** What a tenant's logins are called. Bears 32 bytes, which is the most that MySQL takes, and tells lives of one id apart. */
export interface LoginNames {
  /** Holds the rights, where the engine has roles that nobody can log in as. */
  readonly group: string;
  /** The two that take turns when a credential is rotated. */
  readonly logins: readonly [string, string];
}

/** `t_` and a digest of the registry and of the operation that made the home, so that no later life of the id, and no other registry, meets them. */
export function loginNames({ registry, operation }: Marker): LoginNames {
  const digest = createHash('sha256').update(`${registry}\n${operation}`).digest('hex').slice(0, 24);
  const group = `t_${digest}`;
  return { group, logins: [`${group}_a`, `${group}_b`] };
}

/** Of any tenant, of any registry. */
export function isLoginName(name: string): boolean {
  return /^t_[0-9a-f]{24}(_[ab])?$/.test(name);
}

/** The one that isn't in use; the first where none is. */
export function otherLogin(marker: Marker, current: string | null): string {
  const { logins } = loginNames(marker);
  return current === logins[0] ? logins[1] : logins[0];
}
