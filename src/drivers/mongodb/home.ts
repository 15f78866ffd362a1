import type { Binary, Collection } from 'mongodb';
import type { Marker, TenantTarget } from '../driver.js';
import type { Retention } from '../retention.js';
import { type EngineContext, isForbidden } from './engine-context.js';

/** The one collection of ours in a tenant's database. */
export const HOME_COLLECTION = '_tenancy';

/**
 * All that we keep in a tenant's database, in one document: whose it is, what is applied, what is under way, who wrote last. One document,
 * since MongoDB changes one atomically on every kind of server: the check of marker, fence and history and what is written under it
 * are one step, and no transaction is needed for it.
 */
export interface HomeDocument extends Marker, Retention {
  readonly _id: 'home';
  /** `retained`: closed, and kept. `dropping`: the drop has begun; all that can be done is to finish it. */
  readonly status: 'ready' | 'retained' | 'dropping';
  readonly fence: number;
  /** Grows with every change of what follows. */
  readonly revision: number;
  /** In the order in which they were applied. */
  readonly migrations: readonly StoredMigration[];
  readonly seeds: readonly { readonly name: string; readonly checksum: string; readonly appliedAt: Date }[];
  readonly progress: StoredProgress | null;
  /** The session (`lsid`) of a transaction that was begun, for whoever finds its process gone; null while there is none. */
  readonly transaction: { readonly id: Binary } | null;
}

export interface StoredMigration {
  readonly name: string;
  readonly checksum: string;
  readonly appliedAt: Date;
  readonly durationMs: number;
  readonly runId: string | null;
}

export interface StoredProgress {
  readonly name: string;
  readonly checksum: string;
  readonly statementsDone: number;
  readonly state: 'between' | 'started';
  readonly isSeed: boolean;
}

export interface UserRole {
  readonly role: string;
  readonly db: string;
}

export interface UserRoles {
  readonly user: string;
  readonly roles: readonly UserRole[];
}

/** A tenant's database as it is now. */
export interface HomeState {
  readonly document: HomeDocument | null;
  /** Collections and views that aren't ours or the server's. */
  readonly others: readonly string[];
}

/** Written so that it outlives the loss of a primary. */
export function homeOf({ client }: EngineContext, name: string): Collection<HomeDocument> {
  return client.db(name).collection<HomeDocument>(HOME_COLLECTION, { writeConcern: { w: 'majority' } });
}

export function newHome({ tenant, registry, operation }: Marker): HomeDocument {
  return {
    _id: 'home',
    tenant,
    registry,
    operation,
    status: 'ready',
    fence: 0,
    revision: 0,
    migrations: [],
    seeds: [],
    progress: null,
    transaction: null,
  };
}

/** What a write is filtered by, so that it reaches the home of this target and no other. */
export function oursFilter({ marker }: TenantTarget): Pick<HomeDocument, '_id' | 'tenant' | 'registry' | 'operation'> {
  return { _id: 'home', tenant: marker.tenant, registry: marker.registry, operation: marker.operation };
}

/**
 * A transaction outlives its client for a minute (`transactionLifetimeLimitSeconds`), and holds what it wrote, our document among it. To be
 * called by the owner of the lease only, before anything is written: whoever began it is gone, or has been overtaken.
 */
export async function endAbandoned({ client }: EngineContext, { transaction }: HomeDocument): Promise<void> {
  // Nor is there one in a document that somebody has put back by hand.
  if (!transaction) return;
  try {
    await client.db('admin').command({ killSessions: [{ id: transaction.id }] });
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
}

/** Collections without a document of ours are looked at twice: somebody may just have been making, or dropping, the database. */
export async function readHome(context: EngineContext, name: string): Promise<HomeState> {
  const state = await readOnce(context, name);
  return state.document === null && state.others.length > 0 ? readOnce(context, name) : state;
}

async function readOnce(context: EngineContext, name: string): Promise<HomeState> {
  const [document, collections] = await Promise.all([
    homeOf(context, name).findOne({ _id: 'home' }),
    context.client.db(name).listCollections({}, { nameOnly: true }).toArray(),
  ]);
  const others = collections
    .map((collection) => collection.name)
    .filter((other) => other !== HOME_COLLECTION && !other.startsWith('system.'));
  return { document, others };
}
