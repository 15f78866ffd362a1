import type { ClientSession } from 'mongodb';
import { redact } from '../../util/redact.js';
import type { Registry, TenantChange } from '../registry.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import type { TenantDocument } from './documents.js';
import { recordEvents } from './events.js';
import { toStored } from './stored.js';
import { isOver, toLabels, toTenant } from './tenant-document.js';
import { tick } from './tick.js';

export function createChangeWriter(db: RegistryConnection): Pick<Registry, 'updateTenants' | 'forgetTenant'> {
  return {
    updateTenants: async (changes) => {
      if (new Set(changes.map(({ id }) => id)).size < changes.length) throw new Error('updateTenants was given the same tenant twice');
      const redacted = changes.map(withoutSecrets);
      const { after, now } = await db.transact((session) => update(db, session, redacted));
      return after.map((document) => toTenant(document, now));
    },
    forgetTenant: (id, fence) => db.transact((session) => forget(db, session, id, fence)),
  };
}

/** Failures are promised to carry no secret; one that slipped through must not be kept. */
function withoutSecrets(change: TenantChange): TenantChange {
  const { lastError } = change.set ?? {};
  if (lastError == null) return change;
  return { ...change, set: { ...change.set, lastError: { ...lastError, message: redact(lastError.message) } } };
}

/** Compare-and-set: compared is what was read, and what was read has not changed when it is written, else all of this is run anew. */
async function update(db: RegistryConnection, session: ClientSession, changes: readonly TenantChange[]) {
  const { tenants } = db.collections;
  const found = await tenants.find({ _id: { $in: changes.map(({ id }) => id) } }, { ...IN_ONE_BATCH, session }).toArray();
  const known = new Map(found.map((document) => [document._id, document]));
  const likely = changes
    .flatMap((change) => {
      const before = known.get(change.id);
      return before !== undefined && matches(change, before) ? [{ change, before }] : [];
    })
    .sort((a, b) => (a.change.id < b.change.id ? -1 : 1));
  if (likely.length === 0) return { after: [], now: new Date(0) };
  const ticked = await tick(db, likely.length);
  const matched = likely.filter(({ change, before }) => change.ifRetentionOver !== true || isOver(before, ticked.now));
  if (matched.length === 0) return { after: [], now: ticked.now };
  const after = matched.map(({ change, before }) => applyChange(change, before, ticked.now));
  await tenants.bulkWrite(
    after.map((document) => ({ replaceOne: { filter: { _id: document._id }, replacement: document } })),
    { session },
  );
  const events = matched.map(({ change, before }) => ({
    tenant: change.id,
    runId: change.runId,
    type: change.event,
    data: describeChange(change, before),
  }));
  await recordEvents(db, session, ticked, events);
  return { after, now: ticked.now };
}

function matches({ fence, from, ifProtected }: TenantChange, before: TenantDocument): boolean {
  if (fence !== null && fence !== before.fence) return false;
  return (from as readonly string[]).includes(before.status) && (ifProtected === undefined || ifProtected === before.isProtected);
}

function applyChange({ to, set = {} }: TenantChange, before: TenantDocument, now: Date): TenantDocument {
  const { isHome: _wasHome, ...rest } = before;
  const status = to ?? before.status;
  const lastError = set.lastError === undefined ? before.lastError : toStored(set.lastError);
  return {
    ...rest,
    ...(status === 'deprovisioned' ? {} : { isHome: true }),
    status,
    isProtected: set.isProtected ?? before.isProtected,
    labels: set.labels === undefined ? before.labels : toLabels(set.labels),
    schemaVersion: set.schemaVersion === undefined ? before.schemaVersion : set.schemaVersion,
    migrationsHash: set.migrationsHash === undefined ? before.migrationsHash : set.migrationsHash,
    lastError,
    hasError: lastError !== null,
    operation: set.operation === undefined ? before.operation : toStored(set.operation),
    credentialRef: set.credentialRef === undefined ? before.credentialRef : set.credentialRef,
    login: set.login === undefined ? (before.login ?? null) : toStored(set.login),
    activatedAt: to === 'active' ? (before.activatedAt ?? now) : before.activatedAt,
    deprovisionedAt: to === 'deprovisioned' ? now : before.deprovisionedAt,
    retainedUntil: set.retainForMs === undefined ? (before.retainedUntil ?? null) : timeAfter(now, set.retainForMs),
    updatedAt: now,
  };
}

function timeAfter(now: Date, ms: number | null): Date | null {
  return ms === null ? null : new Date(now.getTime() + ms);
}

function describeChange({ to, set }: TenantChange, { status, lease }: TenantDocument): Record<string, unknown> {
  return {
    ...(to === undefined || to === status ? {} : { from: status, to }),
    ...(set === undefined || Object.keys(set).length === 0 ? {} : { set }),
    ...(lease === null ? {} : { host: lease.host }),
  };
}

const FORGETTABLE: ReadonlySet<string> = new Set(['pending', 'provisioning', 'failed']);

/** A later life of an id goes back to being deprovisioned: what was before it stays known. */
async function forget(db: RegistryConnection, session: ClientSession, id: string, fence: number): Promise<boolean> {
  const { tenants } = db.collections;
  const tenant = await tenants.findOne({ _id: id, fence }, { session });
  if (tenant === null || !FORGETTABLE.has(tenant.status)) return false;
  const { status, incarnation } = tenant;
  const ticked = await tick(db, 1);
  if (incarnation === 1) {
    await tenants.deleteOne({ _id: id }, { session });
  } else {
    const { now } = ticked;
    const reverted = { operation: null, lastError: null, hasError: false, deprovisionedAt: now, updatedAt: now, lease: null };
    await tenants.updateOne({ _id: id }, { $set: { status: 'deprovisioned', ...reverted }, $unset: { isHome: true } }, { session });
  }
  await recordEvents(db, session, ticked, [{ tenant: id, type: 'tenant.forgotten', data: { from: status, incarnation } }]);
  return true;
}
