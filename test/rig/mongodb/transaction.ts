import type { Collection } from './collection.js';
import type { Document } from './values.js';

/** Counts commits, so that a snapshot knows which versions it sees. */
export class History {
  time = 0;
  readonly open: Set<Transaction> = new Set();
  /** Forgets what was removed while somebody could still read it. */
  readonly removed: (() => void)[] = [];

  close(transaction: Transaction): void {
    this.open.delete(transaction);
    if (this.open.size === 0) for (const forget of this.removed.splice(0)) forget();
  }
}

/**
 * Reads what was committed when it began, and its own writes. Nobody else sees these before the commit. A document
 * that it wrote is its own until it ends: another transaction that wants it is refused, anything else waits.
 */
export class Transaction {
  readonly snapshot: number;
  readonly startedAt: number = Date.now();
  readonly writes: Map<Collection, Map<string, Document | null>> = new Map();
  /** Collections it read or wrote: they cannot be dropped meanwhile. */
  readonly touched: Set<Collection> = new Set();
  /** What to undo of the catalogue when it is aborted. */
  readonly undo: (() => void)[] = [];
  readonly ended: Promise<void>;
  status: 'open' | 'committed' | 'aborted' = 'open';
  readonly number: bigint;
  readonly #history: History;
  #end: () => void = () => undefined;

  constructor(number: bigint, history: History) {
    this.number = number;
    this.#history = history;
    this.snapshot = history.time;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    history.open.add(this);
  }

  commit(): void {
    if (this.status !== 'open') return;
    this.#close('committed');
    this.#history.time += 1;
    for (const [collection, writes] of this.writes) for (const [key, document] of writes) collection.install(key, document);
    this.#end();
  }

  abort(): void {
    if (this.status !== 'open') return;
    this.#close('aborted');
    for (const undo of this.undo.reverse()) undo();
    this.#end();
  }

  #close(status: 'committed' | 'aborted'): void {
    this.status = status;
    this.#history.close(this);
    for (const collection of this.touched) collection.release(this);
  }
}
