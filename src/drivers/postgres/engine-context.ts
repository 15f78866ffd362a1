import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { classifyPostgresError } from './classify.js';
import type { ConnectionBudget } from './connection-budget.js';

/** What both drivers of one cluster share. */
export interface EngineContext {
  readonly cluster: string;
  /** The admin URL; its database is where schema tenants live, and from where databases are made. */
  readonly url: string;
  readonly budget: ConnectionBudget;
  readonly extensionsSchema: string;
  /** Shared schemas that have been seen to be there. */
  readonly ensuredSchemas: Set<string>;
  /** Groups of all tenants of a database that have been seen to be there. */
  readonly ensuredGroups: Set<string>;
  /** By database; null is the one that the URL names. */
  readonly ensuredExtensions: Map<string | null, Set<string>>;
}

/** The names of extensions that are known to be there in a database. */
export function ensuredExtensionsOf(context: EngineContext, database: string | null): Set<string> {
  const known = context.ensuredExtensions.get(database) ?? new Set<string>();
  context.ensuredExtensions.set(database, known);
  return known;
}

/** Lends a client for some statements of the driver's own. One that is left inside a transaction is closed. */
export async function withClient<T>(
  context: EngineContext,
  database: string | null,
  signal: AbortSignal | undefined,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const loan = await context.budget.borrow(database, signal);
  const { client } = loan.connection;
  try {
    return await use(client);
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    await loan.giveBack(client.getTransactionStatus() === 'I');
  }
}

/** All of it or nothing, in one round trip; the connection is fit for use afterwards either way. */
export async function sendTransaction(client: Client, statements: string): Promise<void> {
  try {
    await client.query(`BEGIN; ${statements}; COMMIT`);
  } catch (error) {
    // A connection that is gone has rolled back by itself; the first error is the one that tells.
    await client.query('ROLLBACK').catch(() => null);
    throw error;
  }
}

const RACE_ATTEMPTS = 12;
const RACE_DELAY_MS = 50;

/**
 * Runs steps that look at the catalogue and act on what they see, again and again, while others change it under them.
 * `isRace`: what an action fails with when somebody was faster; two sessions on one catalogue row always count.
 */
export async function settleRaces<T>(signal: AbortSignal, isRace: (code: string) => boolean, attempt: () => Promise<T>): Promise<T> {
  // PostgreSQL has already waited 5 s for the other sessions when it says object_in_use: that counts for four.
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (codeOf(error) === '55006') tries += 3;
      if (tries >= RACE_ATTEMPTS || !(isRace(codeOf(error)) || isCatalogRace(error))) throw error;
      await delay(RACE_DELAY_MS * tries * (0.5 + Math.random()), undefined, { signal });
    }
  }
}

function isCatalogRace(error: unknown): boolean {
  const type = classifyPostgresError(error);
  return type === 'catalog-race' || type === 'transaction';
}

/** The SQLSTATE, or an empty text. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
