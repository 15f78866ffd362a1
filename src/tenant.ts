import { TenancyError } from './errors.js';

declare const brand: unique symbol;

/** A tenant's id as the team writes it: looked up exactly, unique without case. */
export type TenantId = string & { readonly [brand]: 'TenantId' };

/**
 * ```
 * pending → provisioning → active ⇄ suspended → deprovisioning → deprovisioned
 *                │            ↑                   │   │   ↑
 *                │            └───── retained ←───┘   │   │     (undelete, or
 *                │                      └─────────────┼───┘      purge)
 *                └───────────→ failed ←───────────────┘         (left by the same command again)
 * ```
 * A retained tenant is closed and not yet dropped: `undelete` brings it back whole, `purge` drops it when its time is over.
 * A failed *migration* leaves an active tenant active: it is behind, not gone.
 */
export const TENANT_STATUSES = [
  'pending',
  'provisioning',
  'active',
  'suspended',
  'deprovisioning',
  'retained',
  'deprovisioned',
  'failed',
] as const;

export type TenantStatus = (typeof TENANT_STATUSES)[number];

/** The statuses in which a tenant has data that migrations apply to, and is at a version. */
export const IN_USE: readonly TenantStatus[] = ['active', 'suspended'];

export const DRIVER_NAMES = ['postgres-schema', 'postgres-database', 'mysql-database', 'mongodb-database'] as const;

export type DriverName = (typeof DRIVER_NAMES)[number];

/** In the place of a tenant's id, in markers on homes that are made ahead and are no tenant's yet. No id looks like these. */
export const NOBODY = { template: '*template', spare: '*spare' } as const;

/** Where a tenant lives: recorded when it is provisioned, and never moved by a later change of the config. */
export interface Placement {
  readonly cluster: string;
  readonly driver: DriverName;
  /** The physical name of the schema or database, exactly as it is created. */
  readonly name: string;
}

/** What `placement` may look at. */
export interface TenantSeed {
  readonly id: TenantId;
  readonly labels: Readonly<Record<string, string>>;
}

/** What is kept of the last failure of a tenant. Carries no secret. */
export interface TenantFailure {
  readonly code: string;
  readonly message: string;
  /** The step or hook that failed. */
  readonly step: string | null;
  readonly at: string;
}

/** Who works on a tenant now. Expiry is by the registry's clock. */
export interface Lease {
  readonly owner: string;
  readonly host: string;
  readonly since: Date;
  readonly expiresAt: Date;
  /** By the registry's clock, at the time of reading. */
  readonly isExpired: boolean;
}

/** One of a tenant's own logins, and where its password is kept. */
export interface LoginReference {
  readonly name: string;
  /** A path to the password (`file:…`, `vault:…`), never the password. */
  readonly credentialRef: string;
}

/** The logins of a tenant with `isolation: 'role'`; where the password of the current one is, its `credentialRef` says. */
export interface TenantLogin {
  /** The one to connect as; null while the first is being made. */
  readonly current: string | null;
  /** Being made, by an attempt that is under way or was interrupted. */
  readonly next: string | null;
  /** The one before a rotation: good until it is locked. */
  readonly previous: LoginReference | null;
}

/** The provision or deprovision that is under way, or that failed half way. */
export interface TenantOperation {
  readonly id: string;
  readonly type: 'provision' | 'deprovision' | 'adopt' | 'restore';
  /** The status to go back to when a deprovision is called off before anything was dropped; null for the other types. */
  readonly cameFrom: 'active' | 'suspended' | 'failed' | null;
}

export interface Tenant extends TenantSeed, Placement {
  readonly status: TenantStatus;
  /** Counts the lives of an id: a deprovisioned id that is provisioned again is a new incarnation. */
  readonly incarnation: number;
  readonly isProtected: boolean;
  /** Name of the newest migration that the tenant is known to have; null before the first. */
  readonly schemaVersion: string | null;
  /** Digest of all applied migrations (names and checksums, in order), as `historyDigest` makes it. */
  readonly migrationsHash: string | null;
  /** A path to a credential (`env:ACME_URL`), never a credential. */
  readonly credentialRef: string | null;
  /** Null: it has no login of its own. */
  readonly login: TenantLogin | null;
  readonly lastError: TenantFailure | null;
  readonly operation: TenantOperation | null;
  /** The operation that registered this incarnation; it is in the marker on the tenant's home for as long as the home stands. */
  readonly homeOperationId: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly activatedAt: Date | null;
  readonly deprovisionedAt: Date | null;
  /** Of a retained tenant, and of one whose purge has begun: until when it is kept, by the registry's clock. */
  readonly retainedUntil: Date | null;
  /** That time has passed: by the registry's clock, at the time of reading. */
  readonly isRetentionOver: boolean;
  readonly lease: Lease | null;
  /** Grows with each lease that is taken; a writer with a smaller one has lost its lease. */
  readonly fence: number;
}

const TENANT_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** @throws TenancyError `TENANCY_ID_REJECTED`. Opens no connection. */
export function parseTenantId(raw: string): TenantId {
  if (TENANT_ID.test(raw)) return raw as TenantId;
  throw new TenancyError('TENANCY_ID_REJECTED', { id: raw.slice(0, 100), reason: explainRejection(raw) });
}

function explainRejection(raw: string): string {
  if (raw === '') return 'it is empty';
  if (raw.length > 63) return `it has ${raw.length} characters, and 63 is the most`;
  if (/^[_-]/.test(raw)) return 'it starts with _ or -';
  const strange = [...raw].find((character) => !/[A-Za-z0-9_-]/.test(character));
  return `${JSON.stringify(strange)} is not allowed in it`;
}
