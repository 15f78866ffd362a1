import { createHash } from 'node:crypto';
import { Binary, Long } from 'bson';
import { CommandError } from './errors.js';
import type { Connection } from './state.js';
import { type History, Transaction } from './transaction.js';
import { type Document, isDocument, keyOf, toNumber } from './values.js';

/** A client's logical session: its transaction, and what its last retryable write has done. */
export interface Session {
  readonly id: Binary;
  /** A digest of its user: the same id of another user is another session. */
  readonly uid: Binary;
  /** Who used it last. */
  connection: Connection | null;
  lastNumber: bigint;
  transaction: Transaction | null;
  /** The results of the statements of the retryable write `lastNumber`. */
  readonly done: Map<number, Document>;
  usedAt: number;
}

export class Sessions {
  readonly #sessions: Map<string, Session> = new Map();
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  /** The session that a command names; made on first use. */
  of(command: Document, connection: Connection): Session | null {
    const id = isDocument(command['lsid']) ? command['lsid']['id'] : undefined;
    if (!(id instanceof Binary)) return null;
    const uid = uidOf(connection);
    const key = keyOf([id, uid]);
    const session = this.#sessions.get(key) ?? { id, uid, connection, lastNumber: -1n, transaction: null, done: new Map(), usedAt: 0 };
    session.usedAt = Date.now();
    session.connection = connection;
    this.#sessions.set(key, session);
    return session;
  }

  /** One that was used before; where no user's is named, that user's who asks. */
  find(lsid: unknown, connection: Connection): Session | undefined {
    return isDocument(lsid) ? this.#sessions.get(keyOf([lsid['id'], lsid['uid'] ?? uidOf(connection)])) : undefined;
  }

  list(): Session[] {
    return [...this.#sessions.values()];
  }

  end(session: Session): void {
    session.transaction?.abort();
    this.#sessions.delete(keyOf([session.id, session.uid]));
  }

  /**
   * The transaction a command is part of.
   * @throws CommandError NoSuchTransaction, TransactionTooOld, TransactionCommitted
   */
  enter(session: Session, command: Document): Transaction {
    const number = numberOf(command);
    if (number < session.lastNumber) throw tooOld(number, session);
    if (command['startTransaction'] === true) {
      if (number === session.lastNumber)
        throw new CommandError(
          50911,
          `Cannot start a transaction at given transaction number ${number} a transaction with the same number is in state`,
        );
      session.transaction?.abort();
      session.lastNumber = number;
      session.done.clear();
      session.transaction = new Transaction(number, this.#history);
      return session.transaction;
    }
    const { transaction } = session;
    if (transaction === null || transaction.number !== number) {
      throw new CommandError(
        251,
        `Given transaction number ${number} does not match any in-progress transactions. The active transaction number is ${session.lastNumber}`,
      );
    }
    const name = Object.keys(command)[0] as string;
    if (transaction.status === 'aborted') throw new CommandError(251, `Transaction with { txnNumber: ${number} } has been aborted.`);
    if (transaction.status === 'committed' && name !== 'commitTransaction')
      throw new CommandError(256, `Transaction with { txnNumber: ${number} } has been committed.`);
    return transaction;
  }

  /** What statements of this retryable write have been carried out already. @throws CommandError TransactionTooOld */
  enterRetryable(session: Session, command: Document): Map<number, Document> {
    const number = numberOf(command);
    if (number < session.lastNumber) throw tooOld(number, session);
    if (number > session.lastNumber) {
      session.transaction?.abort();
      session.transaction = null;
      session.done.clear();
      session.lastNumber = number;
    }
    return session.done;
  }

  /** Transactions live 60 s unless told otherwise, sessions 30 minutes. */
  expire(transactionSeconds: number): void {
    for (const session of this.#sessions.values()) {
      const { transaction } = session;
      if (transaction?.status === 'open' && Date.now() - transaction.startedAt > transactionSeconds * 1000) transaction.abort();
      if (Date.now() - session.usedAt > 1_800_000) this.end(session);
    }
  }
}

/** As the server makes it, of the name; without a user, of nothing. */
export function uidOf({ login }: Connection): Binary {
  return new Binary(
    createHash('sha256')
      .update(login === null ? '' : `${login.name}@${login.db}`)
      .digest(),
  );
}

function numberOf(command: Document): bigint {
  const value = command['txnNumber'];
  if (!(value instanceof Long)) throw new CommandError(14, 'txnNumber has to be a long');
  return BigInt(toNumber(value));
}

function tooOld(number: bigint, session: Session): CommandError {
  return new CommandError(
    225,
    `Cannot start transaction ${number} on session because a newer transaction ${session.lastNumber} has already started.`,
  );
}
