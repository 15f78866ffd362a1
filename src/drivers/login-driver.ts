import type { Marker, TenantTarget } from './target.js';

/**
 * Logins of one tenant, each with rights on its home only; the home and all in it stay the tool's. Their names are `loginNames` of the
 * target's marker, and only what carries our marker (in PostgreSQL a COMMENT on the role) is ever touched.
 */
export interface LoginDriver {
  /** What the engine is told of a password, for people: a verifier, a digest, the password itself. */
  readonly sends: string;
  /**
   * Makes the login, or gives the one there is this password and lets it in; with the rights on what the home has and on what migrations will make in it.
   * The server is never sent the password where it takes something else.
   * @throws TenancyError `TENANCY_LOGIN_TAKEN` where something that isn't ours has the name.
   */
  ensure(target: TenantTarget, login: LoginCredential, signal: AbortSignal): Promise<'created' | 'changed'>;
  /** Gives the rights once more that `ensure` gives, to logins that are there. */
  grant(target: TenantTarget, signal: AbortSignal): Promise<void>;
  /**
   * Logs in, and looks at what can be seen.
   * @throws TenancyError `TENANCY_LOGIN_UNVERIFIED`
   */
  check(target: TenantTarget, login: LoginCredential, signal: AbortSignal): Promise<void>;
  /** Keeps these out, all where none are named, and ends their sessions. The answer names those that there are. */
  lock(target: TenantTarget, names: readonly string[] | null, signal: AbortSignal): Promise<readonly string[]>;
  /** Lets these in again. The answer names those that there are. */
  unlock(target: TenantTarget, names: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
  /** Those that there are. Reads only. */
  list(target: TenantTarget): Promise<readonly { readonly name: string; readonly isLocked: boolean }[]>;
  /**
   * Those of every tenant of this registry that there are, whether it is known still or not. A ledger tells of those of a home that is gone by `listBegun`
   * instead. Reads only.
   */
  listMarked(registry: string): Promise<readonly MarkedLogins[]>;
  /** Removes all of them, and every right that they have; the home may be gone already. */
  drop(target: TenantTarget, signal: AbortSignal): Promise<readonly string[]>;
  /** What the application connects by. Carries the password. */
  connectionUrl(target: TenantTarget, login: LoginCredential): string;
}

/** Of one life of a tenant. */
export interface MarkedLogins {
  readonly names: readonly string[];
  /** Null where they don't tell it. */
  readonly home: string | null;
  readonly marker: Marker;
  /** There is nothing that they have rights on, and, as far as we may see, nobody who is logged in as one of them. */
  readonly isUnused: boolean;
}

export interface LoginCredential {
  readonly name: string;
  readonly password: string;
}
