import type { Duration } from './types.js';

export type Throttle = ThrottleHook | ThrottleQuery | ThrottleCheck;

/** A statement that only reads: the first column of its first row decides, as what a `ThrottleHook` answers. PostgreSQL, MySQL, MariaDB. */
export interface ThrottleQuery {
  readonly sql: string;
  /** How long an answer holds. @default '2s' */
  readonly every?: Duration;
}

export interface ThrottleCheck {
  readonly check: ThrottleHook;
  /** How long an answer holds. @default '2s' */
  readonly every?: Duration;
}

/**
 * Why tenants have to wait, as a text; `true` or a number above 0 hold them without one. Anything else (`false`, 0, null, nothing, an empty text)
 * lets them go. One that throws, or takes 10 s, holds them too, with its error as the reason; at the start of a run it ends the command instead.
 */
export type ThrottleHook = (ctx: ThrottleContext) => unknown;

export interface ThrottleContext {
  readonly cluster: string;
  readonly engine: 'postgres' | 'mysql' | 'mongodb';
  /** Directory of the config file. */
  readonly root: string;
  readonly runId: string;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Asks the cluster itself, on a connection of its budget, in the database that its URL names. For engines that speak SQL. */
  query<Row = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<readonly Row[]>;
  /** For MongoDB: the `Db` called admin, of the official driver. Elsewhere it throws. */
  mongo<Db = unknown>(): Db;
}
