import type { DriverName, Tenant, TenantId, TenantStatus } from '../../tenant.js';
import { toKeepable } from '../keepable.js';
import type { LabelDocument, TenantDocument } from './documents.js';

/** A tenant as it is read, with the server's time of reading. */
export interface ReadTenant extends TenantDocument {
  readonly now: Date;
}

/** The stage of a pipeline that adds the server's time. */
export const WITH_TIME = { $set: { now: '$$NOW' } } as const;

export function toTenant(document: TenantDocument, now: Date): Tenant {
  const { lease } = document;
  return {
    id: document._id as TenantId,
    labels: Object.fromEntries(document.labels.map(({ k, v }) => [k, v])),
    cluster: document.cluster,
    driver: document.driver as DriverName,
    name: document.name,
    status: document.status as TenantStatus,
    incarnation: document.incarnation,
    isProtected: document.isProtected,
    schemaVersion: document.schemaVersion,
    migrationsHash: document.migrationsHash,
    credentialRef: document.credentialRef,
    login: document.login ?? null,
    lastError: document.lastError,
    operation: document.operation,
    homeOperationId: document.homeOperationId,
    createdAt: document.createdAt,
    updatedAt: document.updatedAt,
    activatedAt: document.activatedAt,
    deprovisionedAt: document.deprovisionedAt,
    retainedUntil: document.retainedUntil ?? null,
    isRetentionOver: isOver(document, now),
    lease: lease === null ? null : { ...lease, isExpired: lease.expiresAt <= now },
    fence: document.fence,
  };
}

/** By the server's time. */
export function isOver({ retainedUntil }: Pick<TenantDocument, 'retainedUntil'>, now: Date): boolean {
  return retainedUntil != null && retainedUntil <= now;
}

/** Sorted, so that the same labels are the same document; name before value, since the order of fields counts in comparing. */
export function toLabels(labels: Readonly<Record<string, string>>): LabelDocument[] {
  return Object.entries(labels)
    .map(([k, v]) => ({ k: toKeepable(k), v: toKeepable(v) }))
    .sort((a, b) => (a.k < b.k ? -1 : 1));
}

export function reverseId(id: string): string {
  return [...id.toLowerCase()].reverse().join('');
}
