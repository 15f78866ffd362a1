import { Collection } from './collection.js';
import { CommandError } from './errors.js';
import { History, type Transaction } from './transaction.js';
import { type Document, isTruthy } from './values.js';

/** All databases. One exists for as long as it has a collection. */
export class Catalogue {
  readonly history: History = new History();
  readonly #databases: Map<string, Map<string, Collection>> = new Map();

  /**
   * Each data folder begins with a collection whose UUID is its own:
   * https://github.com/mongodb/mongo/blob/v4.0/jstests/noPassthrough/apply_ops_overwrite_admin_system_version.js
   */
  constructor() {
    const version = new Collection('admin', 'system.version', this.history, {});
    this.#databases.set('admin', new Map([[version.name, version]]));
  }

  databases(): string[] {
    return [...this.#databases.keys()].sort();
  }

  collections(database: string): Collection[] {
    return [...(this.#databases.get(database)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  find(database: string, name: string): Collection | undefined {
    return this.#databases.get(database)?.get(name);
  }

  /** As a write makes a collection that isn't there; an abort takes it away again. */
  ensure(database: string, name: string, transaction: Transaction | null): Collection {
    const found = this.find(database, name);
    if (found !== undefined) return found;
    const created = this.create(database, name, {});
    transaction?.touched.add(created);
    transaction?.undo.push(() => {
      if (created.count() === 0) this.drop(created);
    });
    return created;
  }

  /** @throws CommandError NamespaceExists, InvalidNamespace, DatabaseDifferCase */
  create(database: string, name: string, options: Document): Collection {
    checkCollectionName(database, name);
    if (this.find(database, name) !== undefined) throw new CommandError(48, `Collection ${database}.${name} already exists.`);
    for (const option of ['viewOn', 'clusteredIndex', 'capped']) {
      if (isTruthy(options[option])) throw new CommandError(238, `the option ${option} is not implemented`);
    }
    const collections = this.#databases.get(database) ?? this.#open(database);
    const collection = new Collection(database, name, this.history, options);
    this.#databases.set(database, collections.set(name, collection));
    return collection;
  }

  drop(collection: Collection): void {
    const collections = this.#databases.get(collection.database);
    if (collections?.get(collection.name) === collection) collections.delete(collection.name);
    if (collections?.size === 0) this.#databases.delete(collection.database);
  }

  dropDatabase(database: string): void {
    this.#databases.delete(database);
  }

  #open(database: string): Map<string, Collection> {
    const twin = ['admin', 'config', 'local', ...this.#databases.keys()].find(
      (other) => other !== database && other.toLowerCase() === database.toLowerCase(),
    );
    if (twin !== undefined)
      throw new CommandError(13297, `db already exists with different case already have: [${twin}] trying to create [${database}]`);
    return new Map();
  }
}

/** https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions */
export function checkDatabaseName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > 63 || /[/\\. "$\0]/.test(name)) {
    throw new CommandError(73, `Invalid database name: '${String(name)}'`);
  }
}

export function checkCollectionName(database: string, name: unknown): asserts name is string {
  const isSystem = typeof name === 'string' && name.startsWith('system.');
  if (typeof name !== 'string' || name === '' || isSystem || /[$\0]/.test(name) || name.startsWith('.') || name.endsWith('.')) {
    throw new CommandError(73, `Invalid collection name: ${String(name)}`);
  }
  if (Buffer.byteLength(`${database}.${name}`) > 255)
    throw new CommandError(73, `Fully qualified namespace is too long: ${database}.${name}`);
}
