import type { ClientSession, Db, MongoClient } from 'mongodb';
import { TenancyError } from '../../errors.js';
import { redactUrl } from '../../util/redact.js';
import type { AuditActor } from '../audit.js';
import { Calls, RETRY_FOR_MS } from '../calls.js';
import type { OpenRegistryOptions } from '../registry.js';
import { freeAbandoned } from './abandoned.js';
import { createMongoClient } from './client.js';
import { openCollections, type RegistryCollections } from './collections.js';
import { type Deployment, watchDeployment } from './deployment.js';
import { isConflict, isTransient, toDeploymentError, toRegistryError } from './failures.js';
import { locate, type RegistryPlace } from './place.js';
import { runTransaction } from './transaction.js';

/** The registry's few connections. What is asked is asked of the primary, and what is answered is what a majority of the set has. */
export interface RegistryConnection {
  readonly place: RegistryPlace;
  /** Who acts: written with every event. */
  readonly actor: AuditActor | null;
  readonly database: Db;
  readonly collections: RegistryCollections;
  /**
   * Carries out a call, and again where it failed in passing, for up to 10 s (a lease lasts 15). After a lost connection nobody knows
   * whether it was carried out, so it must bear being carried out twice.
   */
  send<T>(call: () => Promise<T>): Promise<T>;
  /**
   * The same in a transaction, which is carried out once: it is run anew only where nothing of it is left, and its commit is sent until an
   * answer comes. What reads inside sees one moment; where another process has changed since what it then writes, it is run anew.
   */
  transact<T>(work: (session: ClientSession) => Promise<T>): Promise<T>;
  /** Lets calls under way end, for two seconds at most, and resolves when every socket is closed. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that went silent would hang forever; no command of ours takes nearly as long. */
const ANSWER_TIMEOUT_MS = 15_000;
/** Who has lost a race waits for milliseconds only. */
const RACE_DELAY_MS = 5;
const FIRST_DELAY_MS = 100;
/** Who has been kept waiting for so long looks for transactions that nobody goes on with: less than one wait for a lease takes, since a takeover has 5 s in all. */
const KEPT_WAITING_MS = 1_000;
/** A transaction of ours is a handful of round trips: this is time enough for them over any network. */
const ABANDONED_AFTER_MS = 4_000;

export async function openRegistryConnection(options: OpenRegistryOptions): Promise<RegistryConnection> {
  const place = locate(options.url);
  const client = createClient(options);
  const deployment = watchDeployment(client);
  try {
    await Promise.race([client.connect(), deployment.absence]);
  } catch (error) {
    await client.close();
    throw describeFailure(error, deployment, place);
  }
  const fault = deployment.fault();
  // Straight to a secondary: it can be read, and says itself that it takes no writes.
  if (fault === null || fault === 'no-primary') return createRegistryConnection(client, deployment, place, options);
  await client.close();
  throw toDeploymentError(fault, place);
}

function createRegistryConnection(
  client: MongoClient,
  deployment: Deployment,
  place: RegistryPlace,
  { applicationName, actor }: OpenRegistryOptions,
): RegistryConnection {
  const database = client.db(place.database);
  const calls = new Calls({
    where: place.where,
    isTransient,
    // One that nobody answers for isn't opened.
    isAbsent: () => false,
    toRegistryError: (error) => describeFailure(error, deployment, place),
    beforeRetry: async (error, triedForMs) => {
      if (!isConflict(error)) return FIRST_DELAY_MS;
      if (triedForMs > KEPT_WAITING_MS) await freeAbandoned(client, applicationName, ABANDONED_AFTER_MS);
      return RACE_DELAY_MS;
    },
    end: () => client.close(),
    cut: () => destroySockets(client),
  });

  return {
    place,
    actor: actor ?? null,
    database,
    collections: openCollections(database),
    send: (call) => calls.repeat(call),
    transact: (work) => calls.repeat(() => runTransaction(client, work, { place, retryForMs: RETRY_FOR_MS })),
    close: () => calls.close(),
  };
}

function createClient({ url, applicationName, maxConnections }: OpenRegistryOptions): MongoClient {
  try {
    return createMongoClient(url, {
      appName: applicationName,
      maxPoolSize: maxConnections ?? 2,
      minPoolSize: 0,
      // Streaming would keep a second connection to each server, to measure how far it is.
      serverMonitoringMode: 'poll',
      serverSelectionTimeoutMS: CONNECT_TIMEOUT_MS,
      connectTimeoutMS: CONNECT_TIMEOUT_MS,
      waitQueueTimeoutMS: CONNECT_TIMEOUT_MS,
      socketTimeoutMS: ANSWER_TIMEOUT_MS,
      readPreference: 'primary',
      readConcern: { level: 'majority' },
      writeConcern: { w: 'majority' },
    });
  } catch (error) {
    if (error instanceof TenancyError) throw error;
    // Without a cause: it may carry the whole URL.
    const reason = error instanceof Error ? redactUrl(error.message) : 'it is not a well-formed URL';
    throw new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: redactUrl(url), reason });
  }
}

function describeFailure(error: unknown, deployment: Deployment, place: RegistryPlace): unknown {
  const fault = error instanceof Error && error.name === 'MongoServerSelectionError' ? deployment.fault() : null;
  return fault === null ? toRegistryError(error, place) : toDeploymentError(fault, place, error);
}

/** `close` of the client says good-bye on its connections first, and waits for the answers; what hangs is cut here. */
function destroySockets(client: MongoClient): void {
  const { topology } = client as unknown as { readonly topology?: { close(): void } };
  topology?.close();
}
