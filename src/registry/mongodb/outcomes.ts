import type { ClientSession, Filter } from 'mongodb';
import type { TenantOutcome, TenantOutcomeType } from '../../outcome.js';
import { redact } from '../../util/redact.js';
import type { OutcomeRecord, Registry } from '../registry.js';
import { toCounts } from '../rows.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import type { RunTenantDocument, TenantDocument } from './documents.js';
import { recordEvents } from './events.js';
import { toStored } from './stored.js';
import { tick } from './tick.js';

export function createOutcomeBook(db: RegistryConnection): Pick<Registry, 'recordOutcomes' | 'listOutcomes' | 'countOutcomes'> {
  return {
    recordOutcomes: async (runId, outcomes) => {
      const records = [...new Map(outcomes.map((record) => [record.outcome.tenant, record])).values()].sort((a, b) =>
        a.outcome.tenant < b.outcome.tenant ? -1 : 1,
      );
      if (records.length > 0) await db.transact((session) => record(db, session, runId, records));
    },
    listOutcomes: async (runId, filter, { after, limit }) => {
      const wanted: Filter<RunTenantDocument> = {
        runId,
        ...(after === null ? {} : { tenant: { $gt: after } }),
        ...(filter.outcomes === undefined ? {} : { outcome: { $in: filter.outcomes } }),
      };
      const found = await db.send(() => db.collections.runTenants.find(wanted, IN_ONE_BATCH).sort({ tenant: 1 }).limit(limit).toArray());
      return found.map(toOutcome);
    },
    countOutcomes: async (runId) => {
      const stages = [{ $match: { runId } }, { $group: { _id: '$outcome', tenants: { $sum: 1 } } }];
      const rows = await db.send(() => db.collections.runTenants.aggregate<{ _id: string; tenants: number }>(stages).toArray());
      return toCounts(rows.map(({ _id: outcome, tenants }) => ({ outcome, tenants })));
    },
  };
}

function toOutcome({ tenant, cluster, outcome, attempts, from, to, ms, error }: RunTenantDocument): TenantOutcome {
  return { tenant, cluster, outcome: outcome as TenantOutcomeType, attempts, from, to, ms, ...(error === null ? {} : { error }) };
}

/** A tenant that was never reached or not touched only gets its lease back. */
const UNTOUCHED: ReadonlySet<TenantOutcomeType> = new Set(['not-started', 'skipped']);

/** The run's own account is always written; the tenant's document only by who still holds its lease, with its newest fence. */
async function record(db: RegistryConnection, session: ClientSession, runId: string, told: readonly OutcomeRecord[]): Promise<void> {
  const { tenants, runTenants } = db.collections;
  const found = await tenants.find({ _id: { $in: told.map(({ outcome }) => outcome.tenant) } }, { ...IN_ONE_BATCH, session }).toArray();
  const known = new Map(found.map((document) => [document._id, document]));
  const records = await leaveOutUnheard(db, session, runId, told, known);
  if (records.length === 0) return;
  const touched = records.filter(({ outcome }) => !UNTOUCHED.has(outcome.outcome));
  const ticked = await tick(db, records.length);
  await runTenants.bulkWrite(
    records.map(({ outcome }) => ({
      replaceOne: {
        filter: { runId, tenant: outcome.tenant },
        replacement: toRunTenant(runId, outcome, ticked.now),
        upsert: true,
      },
    })),
    { session },
  );
  const settled = records.flatMap((each) => {
    const before = known.get(each.outcome.tenant);
    return before !== undefined && holdsLease(each, before) ? [settle(each, before, ticked.now)] : [];
  });
  if (settled.length > 0) {
    const replacements = settled.map((document) => ({ replaceOne: { filter: { _id: document._id }, replacement: document } }));
    await tenants.bulkWrite(replacements, { session });
  }
  const isSettled = new Set(settled.map(({ _id }) => _id));
  const events = touched.map((each) => ({
    tenant: each.outcome.tenant,
    runId,
    type: 'tenant.settled',
    data: describeOutcome(each, known.get(each.outcome.tenant), isSettled.has(each.outcome.tenant)),
  }));
  await recordEvents(db, session, ticked, events);
}

/** One who lost the lease has nothing to say where another has said how it ended. */
async function leaveOutUnheard(
  { collections }: RegistryConnection,
  session: ClientSession,
  runId: string,
  records: readonly OutcomeRecord[],
  known: ReadonlyMap<string, TenantDocument>,
): Promise<readonly OutcomeRecord[]> {
  const isStale = (each: OutcomeRecord): boolean => {
    const before = known.get(each.outcome.tenant);
    return before === undefined || !holdsLease(each, before);
  };
  const stale = records.filter(isStale).map(({ outcome }) => outcome.tenant);
  if (stale.length === 0) return records;
  const ended = { runId, tenant: { $in: stale }, outcome: { $nin: ['not-started', 'cancelled'] } };
  const rows = await collections.runTenants.find(ended, { ...IN_ONE_BATCH, session }).toArray();
  const said = new Set(rows.map(({ tenant }) => tenant));
  return records.filter(({ outcome }) => !said.has(outcome.tenant));
}

function holdsLease({ owner, fence }: OutcomeRecord, { lease, fence: newest }: TenantDocument): boolean {
  return lease?.owner === owner && fence === newest;
}

function toRunTenant(runId: string, outcome: TenantOutcome, recordedAt: Date): RunTenantDocument {
  const { tenant, cluster, attempts, from, to, ms, error } = outcome;
  return {
    runId,
    tenant,
    cluster,
    outcome: outcome.outcome,
    attempts,
    from,
    to,
    ms: Math.round(ms),
    error: error ? toStored({ ...error, message: redact(error.message) }) : null,
    recordedAt,
  };
}

function settle({ outcome, version, lastError, transition }: OutcomeRecord, before: TenantDocument, now: Date): TenantDocument {
  const { isHome: _wasHome, ...rest } = before;
  const status = transition !== undefined && isMoved(transition, before) ? transition.to : before.status;
  const left = { ...rest, ...(status === 'deprovisioned' ? {} : { isHome: true as const }), status, lease: null };
  const versioned = version === undefined ? left : { ...left, ...version };
  if (UNTOUCHED.has(outcome.outcome)) return versioned;
  const kept = lastError === null ? null : toStored({ ...lastError, message: redact(lastError.message) });
  return { ...versioned, lastError: kept, hasError: kept !== null, updatedAt: now };
}

function isMoved(transition: OutcomeRecord['transition'], { status }: TenantDocument): boolean {
  return (transition?.from as readonly string[] | undefined)?.includes(status) ?? false;
}

/** What there is nothing to say about is left out. */
function describeOutcome(
  { outcome, version, touched, transition }: OutcomeRecord,
  before: TenantDocument | undefined,
  isSettled: boolean,
): Record<string, unknown> {
  const data = {
    outcome: outcome.outcome,
    from: outcome.from,
    to: outcome.to,
    attempts: outcome.attempts,
    ms: Math.round(outcome.ms),
    code: outcome.error?.code,
    hash: version?.migrationsHash,
    status: isSettled && before !== undefined && isMoved(transition, before) ? transition?.to : undefined,
    touched: touched === undefined || touched.length === 0 ? undefined : touched,
    host: before?.lease?.host,
    isStale: isSettled ? undefined : true,
  };
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value != null));
}
