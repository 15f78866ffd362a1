import type { Collection, Db } from 'mongodb';
import type {
  BackupDocument,
  ClusterDocument,
  CounterDocument,
  EventDocument,
  HeadDocument,
  MigrationDocument,
  PreparedHomeDocument,
  RegistryDocument,
  RunDocument,
  RunTenantDocument,
  StepDocument,
  TenantDocument,
} from './documents.js';

/** All names begin with it, so that a registry does no harm in a database that has collections of somebody else's. */
export const PREFIX = 'tenancy.';

/** What the migrations make, without the prefix. */
export const REGISTRY_COLLECTIONS = [
  'registry_migrations',
  'registry',
  'clusters',
  'counters',
  'tenants',
  'steps',
  'runs',
  'run_tenants',
  'events',
  'prepared_homes',
  'backups',
  'audit_heads',
] as const;

/** Answers come in pieces of 101 documents otherwise, each a round trip: no page or batch of ours is so large as this. */
export const IN_ONE_BATCH = { batchSize: 10_000 } as const;

export interface RegistryCollections {
  readonly migrations: Collection<MigrationDocument>;
  readonly registry: Collection<RegistryDocument>;
  readonly clusters: Collection<ClusterDocument>;
  readonly counters: Collection<CounterDocument>;
  readonly tenants: Collection<TenantDocument>;
  readonly steps: Collection<StepDocument>;
  readonly runs: Collection<RunDocument>;
  readonly runTenants: Collection<RunTenantDocument>;
  readonly events: Collection<EventDocument>;
  readonly heads: Collection<HeadDocument>;
  readonly preparedHomes: Collection<PreparedHomeDocument>;
  readonly backups: Collection<BackupDocument>;
}

export function openCollections(db: Db): RegistryCollections {
  return {
    migrations: db.collection(`${PREFIX}registry_migrations`),
    registry: db.collection(`${PREFIX}registry`),
    clusters: db.collection(`${PREFIX}clusters`),
    counters: db.collection(`${PREFIX}counters`),
    tenants: db.collection(`${PREFIX}tenants`),
    steps: db.collection(`${PREFIX}steps`),
    runs: db.collection(`${PREFIX}runs`),
    runTenants: db.collection(`${PREFIX}run_tenants`),
    events: db.collection(`${PREFIX}events`),
    heads: db.collection(`${PREFIX}audit_heads`),
    preparedHomes: db.collection(`${PREFIX}prepared_homes`),
    backups: db.collection(`${PREFIX}backups`),
  };
}
