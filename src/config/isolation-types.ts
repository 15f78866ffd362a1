/**
 * How tenants are kept apart. `none`: by the application, which uses one login for all. `role`: by the database, each with a login of its own
 * that has rights on its home alone.
 */
export type Isolation = 'none' | 'role';

/** Where the passwords of tenants' logins are put, before the login exists. The registry is told the path only. */
export type SecretsConfig = SecretsDirectory | SecretsCommand | SecretsFunctions | StoreSecret;

/** A file for each login, readable by its owner alone. */
export interface SecretsDirectory {
  /** Relative to the config file. */
  readonly directory: string;
}

/** A program that is handed the password on its standard input. In its arguments `{tenant}` and `{login}` are filled in; there is no shell. */
export interface SecretsCommand {
  readonly command: readonly string[];
  /** How it is read again: `vault:secret/data/tenants/{login}#password`, `exec:pass show tenants/{login}`. */
  readonly ref: string;
  /** Run when the login is gone. @default none, and a warning says what was left */
  readonly remove?: readonly string[];
}

export interface SecretsFunctions {
  readonly store: StoreSecret;
  readonly remove?: (secret: { readonly tenant: string; readonly login: string; readonly ref: string | null }) => unknown;
  /** For references of your own; `env:`, `file:`, `exec:` and `vault:` are resolved without it. */
  readonly resolve?: (ref: string) => string | Promise<string>;
}

/** Keeps a password and returns a reference to it. Called again for the same login after a crash, with another password: the newest counts. */
export type StoreSecret = (secret: StoredSecret) => string | Promise<string>;

export interface StoredSecret {
  readonly tenant: string;
  readonly login: string;
  readonly password: string;
}
