import type { ClientSession, Document, Filter } from 'mongodb';
import { TenancyError } from '../../../errors.js';
import { historyDigest } from '../../../migrations/history-digest.js';
import type { AppliedMigration, TenantHistory } from '../../../migrations/migration.js';
import { describeOwner, isSameMarker } from '../../marker.js';
import { endAbandoned, type HomeDocument, homeOf, oursFilter, type StoredMigration, type StoredProgress } from '../home.js';
import type { MigrateContext } from './context.js';

/** A home that isn't there has an empty history. @throws TenancyError `TENANCY_HOME_NOT_OURS` */
export async function readHistory(migrate: MigrateContext): Promise<TenantHistory> {
  const home = await homeOf(migrate.context, migrate.target.name).findOne({ _id: 'home' });
  if (home === null) return { applied: [], seeds: [], progress: null, fence: 0 };
  refuseOther(migrate, migrate.target.marker.tenant, home);
  const { progress } = home;
  return {
    applied: home.migrations.map(toApplied),
    seeds: home.seeds.map(({ name }) => name),
    progress:
      progress === null
        ? null
        : {
            name: progress.name,
            checksum: progress.checksum,
            statementsDone: progress.statementsDone,
            state: progress.state,
            ...(progress.isSeed ? { isSeed: true } : {}),
          },
    fence: home.fence,
  };
}

/**
 * The home, checked to be the one that was planned on.
 * @throws TenancyError `TENANCY_HOME_NOT_OURS`, `TENANCY_FENCE_LOST`, `TENANCY_HISTORY_MOVED`.
 */
export async function readGuarded(
  migrate: MigrateContext,
  { tenant, expectedDigest }: { readonly tenant: string; readonly expectedDigest: string | null },
): Promise<HomeDocument> {
  const home = await homeOf(migrate.context, migrate.target.name).findOne({ _id: 'home' });
  refuseOther(migrate, tenant, home);
  refuseNewerOwner(migrate, tenant, home);
  if (expectedDigest !== null && historyDigest(home.migrations) !== expectedDigest)
    throw new TenancyError('TENANCY_HISTORY_MOVED', { tenant });
  await endAbandoned(migrate.context, home);
  return home;
}

/** What a change makes of the home: values are MongoDB's expressions. */
export interface HomeChange {
  readonly migrations?: Document;
  readonly seeds?: Document;
  readonly progress?: StoredProgress | null;
  readonly transaction?: HomeDocument['transaction'];
}

/**
 * One atomic step: marker, fence and revision are checked by the server with the write. Resolves to the home as it is then.
 * @throws TenancyError as `readGuarded`; also where the home has changed since `home` was read.
 */
export async function changeHome(
  migrate: MigrateContext,
  {
    tenant,
    home,
    change,
    session,
  }: { readonly tenant: string; readonly home: HomeDocument; readonly change: HomeChange; readonly session?: ClientSession },
): Promise<HomeDocument> {
  const { context, target, options } = migrate;
  const filter: Filter<HomeDocument> = { ...oursFilter(target), fence: { $lte: options.fence }, revision: home.revision };
  const set: Document = {
    fence: options.fence,
    revision: home.revision + 1,
    ...(change.migrations === undefined ? {} : { migrations: change.migrations }),
    ...(change.seeds === undefined ? {} : { seeds: change.seeds }),
    ...(change.transaction === undefined ? {} : { transaction: literal(change.transaction) }),
    ...(change.progress === undefined ? {} : { progress: literal(change.progress) }),
  };
  const changed = await homeOf(context, target.name).findOneAndUpdate(filter, [{ $set: set }], {
    returnDocument: 'after',
    ...(session === undefined ? {} : { session }),
  });
  if (changed !== null) return changed;
  const found = await homeOf(context, target.name).findOne({ _id: 'home' }, session === undefined ? {} : { session });
  refuseOther(migrate, tenant, found);
  refuseNewerOwner(migrate, tenant, found);
  throw new TenancyError('TENANCY_HISTORY_MOVED', { tenant });
}

/** With the server's time. */
export function withMigrations(migrations: readonly Omit<StoredMigration, 'appliedAt'>[]): Document {
  return { $concatArrays: ['$migrations', migrations.map((migration) => ({ ...literals(migration), appliedAt: '$$NOW' }))] };
}

export function withoutMigration(name: string): Document {
  return { $filter: { input: '$migrations', as: 'migration', cond: { $ne: ['$$migration.name', literal(name)] } } };
}

export function withSeed(seed: { readonly name: string; readonly checksum: string }): Document {
  return { $concatArrays: ['$seeds', [{ ...literals(seed), appliedAt: '$$NOW' }]] };
}

export function toApplied({ name, checksum, appliedAt, durationMs, runId }: StoredMigration): AppliedMigration {
  return { name, checksum, appliedAt, durationMs, runId };
}

/** A text that begins with $ would be taken for a field. */
function literal(value: unknown): Document {
  return { $literal: value };
}

function literals(values: Readonly<Record<string, unknown>>): Document {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, literal(value)]));
}

function refuseOther({ target }: MigrateContext, tenant: string, home: HomeDocument | null): asserts home is HomeDocument {
  const isOurs = home !== null && isSameMarker(home, target.marker);
  if (isOurs && home.status === 'ready') return;
  const owner = isOurs ? (home.status === 'dropping' ? 'is being dropped' : 'is retained') : describeOwner(home, target.marker);
  throw new TenancyError('TENANCY_HOME_NOT_OURS', { tenant, name: target.name, kind: 'database', owner });
}

function refuseNewerOwner({ options }: MigrateContext, tenant: string, { fence }: HomeDocument): void {
  if (fence > options.fence) throw new TenancyError('TENANCY_FENCE_LOST', { tenant, fence: options.fence });
}
