import type { Document, MongoClient } from 'mongodb';

const IDLE_MS = 5_000;

/**
 * One connection beside the budget, for ending what holds the others: PostgreSQL has its cancel requests for that. Opened when
 * something is to be ended, and closed soon after.
 */
export class ControlClient {
  readonly #create: () => MongoClient;
  #client: MongoClient | null = null;
  #idle: NodeJS.Timeout | null = null;
  #closing: Promise<void> = Promise.resolve();

  constructor(create: () => MongoClient) {
    this.#create = create;
  }

  /** A login may always end its own sessions (Manual, killSessions). */
  async killSessions(sessions: readonly Document[]): Promise<void> {
    this.#client ??= this.#create();
    if (this.#idle !== null) clearTimeout(this.#idle);
    const client = this.#client;
    try {
      await client.db('admin').command({ killSessions: sessions.map(({ id }) => ({ id })) });
    } finally {
      if (this.#client === client) this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    }
  }

  async close(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    const client = this.#client;
    this.#client = null;
    if (client !== null) this.#closing = client.close().catch(() => undefined);
    await this.#closing;
  }
}
