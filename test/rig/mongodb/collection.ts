import { calculateObjectSize, UUID } from 'bson';
import { CommandError } from './errors.js';
import { equalityOf, Index } from './indexes.js';
import { compileFilter, isOperators, type Predicate } from './match.js';
import type { History, Transaction } from './transaction.js';
import { type Document, keyOf, typeOf } from './values.js';
import { maxDocumentBytes } from './wire.js';

/** What a write has to wait for that isn't part of a transaction. */
export class Blocked extends Error {
  readonly by: Transaction;

  constructor(by: Transaction) {
    super('blocked by an open transaction');
    this.by = by;
  }
}

interface Version {
  readonly document: Document | null;
  readonly time: number;
  /** Kept while a snapshot may want it. */
  readonly before: Version | undefined;
}

/** Documents are never changed once they are in here: an update puts another in the place. */
export class Collection {
  readonly database: string;
  readonly name: string;
  readonly uuid: UUID = new UUID();
  readonly indexes: Index[] = [new Index({ v: 2, key: { _id: 1 }, name: '_id_' })];
  readonly #history: History;
  readonly #versions: Map<string, Version> = new Map();
  readonly #holders: Map<string, Transaction> = new Map();
  #options: Document = {};
  #isValid: Predicate = () => true;

  constructor(database: string, name: string, history: History, options: Document) {
    this.database = database;
    this.name = name;
    this.#history = history;
    this.options = options;
  }

  get namespace(): string {
    return `${this.database}.${this.name}`;
  }

  get options(): Document {
    return this.#options;
  }

  set options(options: Document) {
    this.#isValid = compileFilter(options['validator']);
    this.#options = options;
  }

  /** Those that can match: all, or by `_id` and by equality on an index those that it leads to. */
  *scan(filter: Document, transaction: Transaction | null, matches: Predicate): Generator<readonly [key: string, document: Document]> {
    const keys = this.#keysFor(filter, transaction) ?? this.#allKeys(transaction);
    transaction?.touched.add(this);
    for (const key of keys) {
      const document = this.get(key, transaction);
      if (document !== null && matches(document)) yield [key, document];
    }
  }

  count(): number {
    let count = 0;
    for (const version of this.#versions.values()) if (version.document !== null) count++;
    return count;
  }

  /** As the transaction sees it, or what was committed last. */
  get(key: string, transaction: Transaction | null): Document | null {
    const own = transaction?.writes.get(this)?.get(key);
    if (own !== undefined) return own;
    let version = this.#versions.get(key);
    while (version !== undefined && transaction !== null && version.time > transaction.snapshot) version = version.before;
    return version?.document ?? null;
  }

  /** @throws CommandError DuplicateKey, WriteConflict, DocumentValidationFailure; Blocked */
  insert(document: Document, transaction: Transaction | null, bypassValidation = false): void {
    const key = keyOf(document['_id']);
    this.checkFree(key, transaction);
    const own = transaction?.writes.get(this)?.get(key);
    const exists = own !== undefined ? own !== null : (this.#versions.get(key)?.document ?? null) !== null;
    if (exists) throw (this.indexes[0] as Index).refuse(this.namespace, document);
    this.write(key, document, transaction, bypassValidation);
  }

  /** Null removes. @throws CommandError DuplicateKey, WriteConflict, DocumentValidationFailure; Blocked */
  write(key: string, next: Document | null, transaction: Transaction | null, bypassValidation = false): void {
    this.checkFree(key, transaction);
    if (next !== null) this.#check(key, next, transaction, bypassValidation);
    if (transaction === null) {
      this.#history.time += 1;
      this.install(key, next);
      return;
    }
    const writes = transaction.writes.get(this) ?? new Map<string, Document | null>();
    transaction.writes.set(this, writes);
    transaction.touched.add(this);
    const before = writes.get(key);
    for (const index of this.indexes) {
      if (before) index.removePending(transaction, key, before);
      if (next !== null) index.addPending(transaction, key, next);
    }
    writes.set(key, next);
    this.#holders.set(key, transaction);
  }

  /** Makes a version the committed one. */
  install(key: string, document: Document | null): void {
    const head = this.#versions.get(key);
    for (const index of this.indexes) {
      if (head?.document) index.remove(key, head.document);
      if (document !== null) index.add(key, document);
    }
    const { time, open } = this.#history;
    const isRead = open.size > 0;
    if (document === null && !isRead) this.#versions.delete(key);
    // What comes back after a removal comes back at the end.
    else {
      if (head?.document === null) this.#versions.delete(key);
      if (document === null) this.#history.removed.push(() => this.#forget(key));
      this.#versions.set(key, { document, time, before: isRead ? head : undefined });
    }
  }

  /** Nobody reads any more what was there before the removal. */
  #forget(key: string): void {
    if (this.#versions.get(key)?.document === null) this.#versions.delete(key);
  }

  /** The transaction has ended: what it held is free. */
  release(transaction: Transaction): void {
    for (const [key, document] of transaction.writes.get(this) ?? []) {
      this.#holders.delete(key);
      if (document !== null) for (const index of this.indexes) index.removePending(transaction, key, document);
    }
  }

  addIndex(spec: Document): void {
    const index = new Index(spec);
    for (const [key, { document }] of this.#versions) {
      if (document === null) continue;
      if (index.rivals(key, document).length > 0) throw index.refuse(this.namespace, document);
      index.add(key, document);
    }
    this.indexes.push(index);
  }

  /** @throws CommandError WriteConflict; Blocked */
  checkFree(key: string, transaction: Transaction | null): void {
    const holder = this.#holders.get(key);
    if (holder !== undefined && holder !== transaction) throw conflict(holder, transaction);
    const head = this.#versions.get(key);
    if (transaction !== null && head !== undefined && head.time > transaction.snapshot) throw writeConflict();
  }

  #check(key: string, document: Document, transaction: Transaction | null, bypassValidation: boolean): void {
    const size = calculateObjectSize(document, { ignoreUndefined: true });
    if (size > maxDocumentBytes)
      throw new CommandError(10334, `BSONObj size: ${size} is invalid. Size must be between 0 and ${maxDocumentBytes}`);
    if (
      !bypassValidation &&
      this.options['validationAction'] !== 'warn' &&
      this.options['validationLevel'] !== 'off' &&
      !this.#isValid(document)
    ) {
      throw new CommandError(121, 'Document failed validation', { errInfo: { failingDocumentId: document['_id'] } });
    }
    for (const index of this.indexes) {
      for (const rival of index.rivals(key, document)) {
        if (rival.transaction !== null && rival.transaction !== transaction) throw conflict(rival.transaction, transaction);
        const own = transaction?.writes.get(this)?.get(rival.key);
        if (own === null || (own !== undefined && !index.entriesOf(own).includes(rival.entry))) continue;
        const holder = this.#holders.get(rival.key);
        if (holder !== undefined && holder !== transaction) throw conflict(holder, transaction);
        if (transaction !== null && (this.#versions.get(rival.key)?.time ?? 0) > transaction.snapshot) throw writeConflict();
        throw index.refuse(this.namespace, document);
      }
    }
  }

  #allKeys(transaction: Transaction | null): Iterable<string> {
    const own = transaction?.writes.get(this);
    // A copy: the caller may remove while it reads.
    const keys = [...this.#versions.keys()];
    return own === undefined ? keys : new Set([...keys, ...own.keys()]);
  }

  #keysFor(filter: Document, transaction: Transaction | null): string[] | null {
    const id = equalityOf(filter, '_id');
    if (id !== undefined && typeOf(id) !== 'regex') return [keyOf(id)];
    const operand = filter['_id'];
    if (isOperators(operand) && Array.isArray(operand['$in']) && operand['$in'].every((item) => typeOf(item) !== 'regex')) {
      return [...new Set(operand['$in'].map(keyOf))];
    }
    // Indexes know what is committed, which isn't what a snapshot sees.
    if (transaction !== null) return null;
    for (const index of this.indexes) {
      const keys = index.lookup(filter);
      if (keys !== null) return [...keys];
    }
    return null;
  }
}

function conflict(holder: Transaction, transaction: Transaction | null): Error {
  return transaction === null ? new Blocked(holder) : writeConflict();
}

function writeConflict(): CommandError {
  return new CommandError(
    112,
    'Caused by :: Write conflict during plan execution and yielding is disabled. :: Please retry your operation or multi-document transaction.',
  );
}
