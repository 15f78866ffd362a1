import { CommandError } from './errors.js';
import { compileFilter, isOperators, type Predicate } from './match.js';
import { valuesAt } from './paths.js';
import type { Transaction } from './transaction.js';
import { type Document, isDocument, isEqual, isNumber, isTruthy, keyOf, numberOr, typeOf } from './values.js';

/** One index of a collection: which documents have which values. */
export class Index {
  readonly spec: Document;
  readonly name: string;
  readonly key: Document;
  readonly isUnique: boolean;
  readonly #fields: readonly string[];
  readonly #isCovered: Predicate;
  readonly #owners: Map<string, Set<string>> = new Map();
  /** What open transactions are about to add to a unique index. */
  readonly #pending: Map<string, { readonly transaction: Transaction; readonly key: string }> = new Map();

  constructor(spec: Document) {
    this.spec = spec;
    this.name = String(spec['name']);
    this.key = spec['key'] as Document;
    this.isUnique = isTruthy(spec['unique']);
    this.#fields = Object.keys(this.key);
    const partial = spec['partialFilterExpression'];
    const isSparse = isTruthy(spec['sparse']);
    const isIncluded = partial === undefined ? () => true : compileFilter(partial);
    const hasField = (document: unknown): boolean =>
      this.#fields.some((field) => valuesAt(document, field).some((value) => value !== undefined));
    this.#isCovered = (document) => isIncluded(document) && (!isSparse || hasField(document));
  }

  get expireAfterSeconds(): number | null {
    const seconds = this.spec['expireAfterSeconds'];
    return isNumber(seconds) ? numberOr(seconds, 0) : null;
  }

  set expireAfterSeconds(seconds: number) {
    this.spec['expireAfterSeconds'] = seconds;
  }

  /** An array has an entry for each of its elements. */
  entriesOf(document: Document): string[] {
    if (!this.#isCovered(document)) return [];
    let entries = [''];
    for (const field of this.#fields) {
      const values = valuesAt(document, field).flatMap((value) => (Array.isArray(value) && value.length > 0 ? value : [value]));
      const keys = [...new Set((values.length === 0 ? [null] : values).map(keyOf))];
      entries = entries.flatMap((entry) => keys.map((key) => `${entry}\0${key}`));
    }
    return entries;
  }

  add(key: string, document: Document): void {
    for (const entry of this.entriesOf(document)) {
      const owners = this.#owners.get(entry);
      if (owners === undefined) this.#owners.set(entry, new Set([key]));
      else owners.add(key);
    }
  }

  remove(key: string, document: Document): void {
    for (const entry of this.entriesOf(document)) {
      const owners = this.#owners.get(entry);
      owners?.delete(key);
      if (owners?.size === 0) this.#owners.delete(entry);
    }
  }

  addPending(transaction: Transaction, key: string, document: Document): void {
    if (this.isUnique) for (const entry of this.entriesOf(document)) this.#pending.set(entry, { transaction, key });
  }

  removePending(transaction: Transaction, key: string, document: Document): void {
    if (!this.isUnique) return;
    for (const entry of this.entriesOf(document)) {
      const pending = this.#pending.get(entry);
      if (pending?.transaction === transaction && pending.key === key) this.#pending.delete(entry);
    }
  }

  /** Other documents that have, or are about to have, a value of this one. */
  rivals(
    key: string,
    document: Document,
  ): readonly { readonly key: string; readonly entry: string; readonly transaction: Transaction | null }[] {
    if (!this.isUnique) return [];
    return this.entriesOf(document).flatMap((entry) => {
      const pending = this.#pending.get(entry);
      const owners = [...(this.#owners.get(entry) ?? [])]
        .filter((owner) => owner !== key)
        .map((owner) => ({ key: owner, entry, transaction: null }));
      return pending === undefined || pending.key === key ? owners : [...owners, { ...pending, entry }];
    });
  }

  /** The documents that an equality on all of the index's fields leads to; null where the filter has no such. */
  lookup(filter: Document): ReadonlySet<string> | null {
    if (this.spec['partialFilterExpression'] !== undefined || isTruthy(this.spec['sparse'])) return null;
    let entry = '';
    for (const field of this.#fields) {
      const value = equalityOf(filter, field);
      if (value === undefined || Array.isArray(value) || typeOf(value) === 'regex') return null;
      entry += `\0${keyOf(value)}`;
    }
    return this.#owners.get(entry) ?? new Set();
  }

  /** @throws CommandError DuplicateKey, as the server words it */
  refuse(namespace: string, document: Document): CommandError {
    const keyValue = Object.fromEntries(this.#fields.map((field) => [field, valuesAt(document, field)[0] ?? null]));
    const shown = this.#fields.map((field) => `${field}: ${show(keyValue[field])}`).join(', ');
    return new CommandError(11000, `E11000 duplicate key error collection: ${namespace} index: ${this.name} dup key: { ${shown} }`, {
      keyPattern: this.key,
      keyValue,
    });
  }
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : typeOf(value) === 'objectId' ? `ObjectId('${String(value)}')` : String(value);
}

export function equalityOf(filter: Document, field: string): unknown {
  const operand = Object.hasOwn(filter, field) ? filter[field] : undefined;
  if (!isOperators(operand)) return operand;
  return Object.keys(operand).length === 1 ? operand['$eq'] : undefined;
}

const knownOptions = [
  'v',
  'key',
  'name',
  'unique',
  'sparse',
  'partialFilterExpression',
  'expireAfterSeconds',
  'background',
  'ns',
  'hidden',
];

/** What `createIndexes` was given, as the collection keeps it. @throws CommandError for what the server or the stand-in doesn't take */
export function parseIndexSpec(given: unknown): Document {
  if (!isDocument(given) || !isDocument(given['key']) || Object.keys(given['key']).length === 0)
    throw new CommandError(67, 'an index needs a key');
  const { key, name } = given;
  for (const [field, kind] of Object.entries(key)) {
    if (kind === 'hashed') continue;
    if (!isNumber(kind) || numberOr(kind, 0) === 0)
      throw new CommandError(67, `Values in v:2 index key pattern cannot be of type ${typeOf(kind)} or kind ${String(kind)}: ${field}`);
    if (field.includes('$**')) throw new CommandError(238, 'wildcard indexes are not implemented');
  }
  if (typeof name !== 'string' || name === '') throw new CommandError(9, "Index key's name has to be a string that is not empty");
  if (isDocument(given['collation']) && given['collation']['locale'] !== 'simple')
    throw new CommandError(238, 'collations are not implemented');
  const unknown = Object.keys(given).find((option) => !knownOptions.includes(option) && option !== 'collation');
  if (unknown !== undefined) throw new CommandError(197, `The field '${unknown}' is not valid for an index specification.`);
  const expires = given['expireAfterSeconds'];
  if (expires !== undefined && (!isNumber(expires) || numberOr(expires, 0) < 0))
    throw new CommandError(67, 'TTL index expireAfterSeconds must be a number that is not negative');
  if (expires !== undefined && Object.keys(key).length > 1)
    throw new CommandError(67, 'TTL indexes are single-field indexes, compound indexes do not support TTL.');
  if (given['partialFilterExpression'] !== undefined) compileFilter(given['partialFilterExpression']);
  const { background: _background, ns: _ns, collation: _collation, v: _v, ...rest } = given;
  return { v: 2, ...rest };
}

/** Whether a new index is one that is there. @throws CommandError IndexOptionsConflict, IndexKeySpecsConflict */
export function isThere(indexes: readonly Index[], spec: Document): boolean {
  const options = (document: Document): Document => {
    const { v: _v, name: _name, key: _key, hidden: _hidden, ...rest } = document;
    return Object.fromEntries(
      Object.entries(rest)
        .filter(([name, value]) => !['unique', 'sparse'].includes(name) || isTruthy(value))
        .sort(),
    );
  };
  const sameKey = indexes.find((index) => isEqual(index.key, spec['key']));
  const sameName = indexes.find((index) => index.name === spec['name']);
  if (sameKey !== undefined && Object.keys(spec['key'] as Document)[0] === '_id' && Object.keys(spec['key'] as Document).length === 1)
    return true;
  if (sameName !== undefined && !isEqual(sameName.key, spec['key'])) {
    throw new CommandError(
      86,
      `An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. Requested index: ${String(spec['name'])}`,
    );
  }
  if (sameKey !== undefined && !isEqual(options(sameKey.spec), options(spec))) {
    if (sameName !== undefined)
      throw new CommandError(
        86,
        `An existing index has the same name as the requested index, and other options. Requested index: ${sameName.name}`,
      );
    throw new CommandError(
      85,
      `An equivalent index already exists with a different name or different options. Requested index: ${String(spec['name'])}, existing index: ${sameKey.name}`,
    );
  }
  if (sameKey !== undefined && sameName === undefined) {
    throw new CommandError(85, `Index already exists with a different name: ${sameKey.name}`);
  }
  return sameKey !== undefined;
}
