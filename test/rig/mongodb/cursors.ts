import { calculateObjectSize, Long } from 'bson';
import { CommandError } from './errors.js';
import type { Session } from './sessions.js';
import type { User } from './users.js';
import type { Document } from './values.js';
import { maxDocumentBytes } from './wire.js';

interface Cursor {
  readonly id: bigint;
  readonly namespace: string;
  readonly user: User | null;
  readonly session: Session | null;
  readonly rest: Document[];
  usedAt: number;
}

/** What `find` and others found and was not fetched yet. It doesn't belong to a connection, but to its session. */
export class Cursors {
  readonly #cursors: Map<bigint, Cursor> = new Map();
  #lastId = 1_000_000n;

  /** @param batchSize null: as the server does without one, 101 documents */
  open(
    namespace: string,
    documents: Document[],
    batchSize: number | null,
    owner: Pick<Cursor, 'user' | 'session'>,
    isSingleBatch = false,
  ): Document {
    const rest = [...documents].reverse();
    const firstBatch = takeBatch(rest, batchSize ?? 101);
    if (rest.length === 0 || isSingleBatch) return { cursor: { firstBatch, id: Long.ZERO, ns: namespace } };
    this.#lastId += 1n;
    this.#cursors.set(this.#lastId, { id: this.#lastId, namespace, rest, usedAt: Date.now(), ...owner });
    return { cursor: { firstBatch, id: Long.fromBigInt(this.#lastId), ns: namespace } };
  }

  /** @throws CommandError CursorNotFound, Unauthorized */
  next(id: bigint, namespace: string, batchSize: number | null, user: User | null): Document {
    const cursor = this.#cursors.get(id);
    if (cursor === undefined) throw new CommandError(43, `cursor id ${id} not found`);
    if (cursor.namespace !== namespace || cursor.user !== user)
      throw new CommandError(13, `not authorized: the cursor ${id} is of ${cursor.namespace}`);
    const nextBatch = takeBatch(cursor.rest, batchSize ?? Number.POSITIVE_INFINITY);
    cursor.usedAt = Date.now();
    if (cursor.rest.length === 0) this.#cursors.delete(id);
    return { cursor: { nextBatch, id: cursor.rest.length === 0 ? Long.ZERO : Long.fromBigInt(id), ns: namespace } };
  }

  kill(id: bigint): boolean {
    return this.#cursors.delete(id);
  }

  killOf(session: Session): void {
    for (const cursor of this.#cursors.values()) if (cursor.session === session) this.#cursors.delete(cursor.id);
  }

  /** Ten minutes without a `getMore`, as on a server. */
  expire(): void {
    for (const cursor of this.#cursors.values()) if (Date.now() - cursor.usedAt > 600_000) this.#cursors.delete(cursor.id);
  }

  get count(): number {
    return this.#cursors.size;
  }
}

function takeBatch(rest: Document[], size: number): Document[] {
  const batch: Document[] = [];
  let bytes = 0;
  while (rest.length > 0 && batch.length < size) {
    bytes += calculateObjectSize(rest.at(-1) as Document, { ignoreUndefined: true });
    if (batch.length > 0 && bytes > maxDocumentBytes) break;
    batch.push(rest.pop() as Document);
  }
  return batch;
}
