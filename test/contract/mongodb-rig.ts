import { randomBytes } from 'node:crypto';
import { type Db, MongoClient } from 'mongodb';
import { afterAll, beforeAll } from 'vitest';
import type { ApplyOptions, ClusterEngine, SessionOptions, TenantDriver, TenantSession, TenantTarget } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import type { LocalMigration, MigrationScript } from '../../src/migrations/migration.js';
import { createOwnTestMongo, createTestMongo, type TestMongo } from '../rig/mongodb.js';
import { markerOf, sessionOptions } from './driver-suite.js';
import { moduleMigration } from './migrate-rig.js';

export const never: AbortSignal = new AbortController().signal;

export interface MongoHomes {
  readonly mongo: TestMongo;
  readonly engine: ClusterEngine;
  readonly driver: TenantDriver;
  /** Of root, beside the engine. */
  readonly root: MongoClient;
  target(suffix?: string): TenantTarget;
  create(suffix?: string): Promise<TenantTarget>;
  /** What is in the tenant's database, seen by root. */
  db(target: TenantTarget): Db;
  home(target: TenantTarget): Promise<Record<string, unknown> | null>;
  within<T>(target: TenantTarget, use: (session: TenantSession) => Promise<T>, options?: Partial<SessionOptions>): Promise<T>;
  /** The names of the migrations in its history. */
  applied(target: TenantTarget): Promise<string[]>;
  /** What its migrations have written, each its name, once for each time that it ran. */
  counts(target: TenantTarget): Promise<string[]>;
  open(url: string): Promise<ClusterEngine>;
}

/** An engine and a client of root for each test file. `own`: a server that nobody else uses. */
export function useMongoHomes(server: 'shared' | 'own' = 'shared'): MongoHomes {
  const homes = {} as { -readonly [Key in keyof MongoHomes]: MongoHomes[Key] };
  const engines: ClusterEngine[] = [];
  beforeAll(async () => {
    const mongo = await (server === 'own' ? createOwnTestMongo : createTestMongo)();
    homes.mongo = mongo;
    homes.open = async (url) => {
      const engine = await openClusterEngine({
        cluster: 'main',
        url,
        maxConnections: 4,
        extensionsSchema: 'extensions',
        applicationName: `homes-${mongo.namePrefix}`,
      });
      engines.push(engine);
      return engine;
    };
    homes.engine = await homes.open(mongo.url);
    homes.driver = homes.engine.driver('mongodb-database');
    homes.root = new MongoClient(mongo.url, { appName: 'homes-root' });
    homes.target = (suffix = randomBytes(4).toString('hex')) => ({ name: `${mongo.namePrefix}_${suffix}`, marker: markerOf('acme') });
    homes.create = async (suffix) => {
      const target = homes.target(suffix);
      await homes.driver.create(target, never);
      return target;
    };
    homes.db = (target) => homes.root.db(target.name);
    homes.home = (target) => homes.root.db(target.name).collection<{ _id: string }>('_tenancy').findOne({ _id: 'home' });
    homes.applied = (target) => homes.within(target, async (session) => (await session.readHistory()).applied.map(({ name }) => name));
    homes.counts = async (target) =>
      (await homes.db(target).collection('counts').find().sort({ name: 1 }).toArray()).map(({ name }) => String(name));
    homes.within = (target, use, options = {}) => homes.driver.withSession(target, { ...sessionOptions(), ...options }, use);
  });
  afterAll(async () => {
    for (const engine of engines) await engine.close();
    await homes.root.close();
    await homes.mongo.drop();
  });
  return homes;
}

export interface MongoContext {
  readonly client: MongoClient;
  readonly session: import('mongodb').ClientSession;
  readonly signal: AbortSignal;
  readonly tenant: string;
  readonly log: (text: string) => void;
}

export interface MongoModule {
  up(db: Db, context: MongoContext & MongoClient): Promise<unknown> | unknown;
  down?(db: Db, context: MongoContext & MongoClient): Promise<unknown> | unknown;
  readonly transaction?: boolean;
  readonly rerunnable?: boolean;
}

/** As `createModuleScripts` makes one of a file. */
export function mongoMigration(name: string, { up, down, transaction, rerunnable }: MongoModule): LocalMigration {
  const flags = { requestsTransaction: transaction === true, isRerunnable: rerunnable === true };
  const migration = moduleMigration(name, async () => {});
  const script = (run: MongoModule['up']): MigrationScript => ({
    type: 'module',
    file: migration.file,
    isTransactional: true,
    ...flags,
    run: async (db, context) => {
      await run(db as Db, context as MongoContext & MongoClient);
    },
  });
  return { ...migration, up: script(up), down: down === undefined ? null : script(down) };
}

/** Inserts a document, so that a second time would show. */
export function countedInMongo(name: string, module: Partial<MongoModule> = {}): LocalMigration {
  return mongoMigration(name, {
    up: (db) => db.collection('counts').insertOne({ name }),
    down: (db) => db.collection('counts').deleteOne({ name }),
    ...module,
  });
}

/** Planned on nothing. */
export function blindly(options: Partial<ApplyOptions> = {}): ApplyOptions {
  return { expectedDigest: null, tenant: 'acme', onMigration: () => {}, log: () => {}, ...options };
}
