import type { Collection, Db, Document, MongoClient } from 'mongodb';
import type { ModuleContext } from '../../../migrations/migration.js';
import { HOME_COLLECTION } from '../home.js';
import type { MigrateContext } from './context.js';

/** What a module is handed: `up(db, client)` as migrate-mongo has it, and `up(db, { client, session, signal, tenant, log })` as ours. */
export interface ModuleClient {
  readonly db: Db;
  readonly client: ModuleContext;
  /** What was not awaited must not reach into the tenant after its time. */
  takeBack(): void;
}

/** The cluster's own client, kept to the tenant's database; it serves all tenants, so it isn't the module's to close. */
export function lendClient({ context, target, session }: MigrateContext, told: ModuleContext): ModuleClient {
  let isLent = true;
  const bind = (owner: object, value: unknown): unknown =>
    typeof value === 'function'
      ? (...args: unknown[]): unknown => {
          if (!isLent) throw new Error('the migration is over, and its db with it: await every operation');
          return (value as (...args: unknown[]) => unknown).apply(owner, args);
        }
      : value;

  const lend = (collection: Collection): Collection =>
    new Proxy(collection, { get: (real, key) => bind(real, Reflect.get(real, key, real)) });

  const realDb = context.client.db(target.name);
  const db: Db = new Proxy(realDb, {
    get: (_, key) => {
      if (key === 'client') return client;
      if (key === 'dropDatabase')
        return () => refuse('dropDatabase() would take the history of migrations along: drop the collections by name');
      const value = bind(realDb, Reflect.get(realDb, key, realDb));
      // As one empties a database: for each of them, drop().
      if (key === 'collections' && typeof value === 'function') {
        return async (...args: unknown[]): Promise<Collection[]> =>
          ((await value(...args)) as Collection[]).filter(({ collectionName }) => collectionName !== HOME_COLLECTION).map(lend);
      }
      if (key === 'command' && typeof value === 'function') {
        return (command: Document, ...rest: unknown[]): unknown => {
          const [name = '', subject] = Object.entries(command)[0] ?? [];
          if (name === 'dropDatabase') refuse('dropDatabase would take the history of migrations along: drop the collections by name');
          if (subject === HOME_COLLECTION) refuse(`the collection ${HOME_COLLECTION} is not the migration's own`);
          return value(command, ...rest);
        };
      }
      if ((key === 'collection' || key === 'dropCollection' || key === 'renameCollection') && typeof value === 'function') {
        return (name: string, ...rest: unknown[]): unknown => {
          if (name === HOME_COLLECTION) refuse(`the collection ${HOME_COLLECTION} is not the migration's own`);
          const answer: unknown = value(name, ...rest);
          return key === 'collection' ? lend(answer as Collection) : answer;
        };
      }
      return value;
    },
  });

  const openDb = (name?: string): Db => {
    if (name === undefined || name === '' || name === target.name) return db;
    return refuse(`client.db(${JSON.stringify(name)}) reaches beyond the tenant, whose database is ${target.name}`);
  };
  const own: Readonly<Record<string, unknown>> = {
    ...told,
    session,
    db: openDb,
    close: () => Promise.resolve(),
  };
  const client: MongoClient & ModuleContext = new Proxy(context.client, {
    get: (real, key) => {
      if (key === 'client') return client;
      if (typeof key === 'string' && Object.hasOwn(own, key)) return own[key];
      return bind(real, Reflect.get(real, key, real));
    },
    has: (real, key) => key === 'client' || (typeof key === 'string' && Object.hasOwn(own, key)) || Reflect.has(real, key),
  }) as MongoClient & ModuleContext;

  return {
    db,
    client,
    takeBack: () => {
      isLent = false;
    },
  };
}

function refuse(reason: string): never {
  throw new Error(reason);
}
