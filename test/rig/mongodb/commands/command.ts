import { checkCollectionName } from '../catalogue.js';
import type { Collection } from '../collection.js';
import { CommandError } from '../errors.js';
import type { Operation } from '../operation.js';
import type { Document } from '../values.js';

/** What a user has to be allowed; a null database stands for the server. */
export type Need = readonly [action: string, database: string | null];

export interface Command {
  run(operation: Operation): Document | Promise<Document>;
  /** Null: anybody, before authentication too. */
  readonly needs: ((operation: Operation) => readonly Need[]) | null;
  readonly isForTransactions?: boolean;
  readonly isForAdmin?: boolean;
}

export type CommandTable = Readonly<Record<string, Command>>;

export const toDatabase =
  (...actions: string[]) =>
  ({ db }: Operation): readonly Need[] =>
    actions.map((action) => [action, db]);

export const toServer =
  (...actions: string[]) =>
  (): readonly Need[] =>
    actions.map((action) => [action, null]);

export const toNobody = (): readonly Need[] => [];

/** The collection's name that is the command's first value. */
export function collectionName(operation: Operation, name: unknown = operation.command[operation.name]): string {
  checkCollectionName(operation.db, name);
  return name;
}

export function findCollection(operation: Operation, name?: unknown): Collection | undefined {
  const wanted = collectionName(operation, name);
  if (['local', 'config'].includes(operation.db)) throw new CommandError(238, 'the collections of the server itself are not implemented');
  const found = operation.server.catalogue.find(operation.db, wanted);
  if (found !== undefined) operation.transaction?.touched.add(found);
  return found;
}

export function mustFindCollection(operation: Operation): Collection {
  const found = findCollection(operation);
  if (found === undefined) throw new CommandError(26, `ns does not exist: ${operation.db}.${collectionName(operation)}`);
  return found;
}

/** A change of the catalogue waits for the transactions that use the collection. */
export async function waitForTransactions(operation: Operation, collections: readonly Collection[]): Promise<void> {
  const { open } = operation.server.catalogue.history;
  for (;;) {
    const user = [...open].find(
      (transaction) => transaction !== operation.transaction && collections.some((collection) => transaction.touched.has(collection)),
    );
    if (user === undefined) return;
    await operation.wait(user.ended);
  }
}

/** Options that change what is found, and that the stand-in doesn't know. */
export function refuseOptions(command: Document, ...names: string[]): void {
  for (const name of names) {
    const value = command[name];
    if (value === undefined || (name === 'collation' && (value as Document)['locale'] === 'simple')) continue;
    throw new CommandError(238, `the option ${name} is not implemented`);
  }
}
