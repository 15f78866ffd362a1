import type { Document, MongoClient } from 'mongodb';

/**
 * One connection beside the budget, for ending what holds the others: PostgreSQL has its cancel requests for that. Opened when
 * something is to be ended, and closed when it is.
 */
export class ControlClient {
  readonly #create: () => MongoClient;
  #client: MongoClient | null = null;
  #users = 0;

  constructor(create: () => MongoClient) {
    this.#create = create;
  }

  /** A login may always end its own sessions (Manual, killSessions). */
  async killSessions(sessions: readonly Document[]): Promise<void> {
    this.#client ??= this.#create();
    const client = this.#client;
    this.#users++;
    try {
      await client.db('admin').command({ killSessions: sessions.map(({ id }) => ({ id })) });
    } finally {
      this.#users--;
      if (this.#users === 0) {
        this.#client = null;
        await client.close();
      }
    }
  }
}
