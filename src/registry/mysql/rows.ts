import type { DriverName, Tenant, TenantFailure, TenantId, TenantOperation, TenantStatus } from '../../tenant.js';
import { fromJson, fromJsonOrNull } from './json.js';
import type { Row } from './session.js';

/** The columns of `TenantRow`, of a table that goes by the name `t`. */
export const TENANT_COLUMNS = [
  't.id, t.incarnation, t.status, t.cluster, t.driver, t.name, t.labels, t.is_protected, t.schema_version, t.migrations_hash',
  't.credential_ref, t.last_error, t.operation, t.home_operation_id, t.change_id, t.fence, t.lease_owner, t.lease_host, t.lease_since',
  't.lease_expires_at, t.created_at, t.updated_at, t.activated_at, t.deprovisioned_at',
  'TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), t.lease_expires_at) AS lease_left_us',
].join(', ');

/** Times are UTC, and come as dates. */
export interface TenantRow extends Row {
  readonly id: string;
  readonly incarnation: number;
  readonly status: string;
  readonly cluster: string;
  readonly driver: string;
  readonly name: string;
  readonly labels: string;
  readonly is_protected: number;
  readonly schema_version: string | null;
  readonly migrations_hash: string | null;
  readonly credential_ref: string | null;
  readonly last_error: string | null;
  readonly operation: string | null;
  readonly home_operation_id: string;
  readonly change_id: string | null;
  readonly fence: number;
  readonly lease_owner: string | null;
  readonly lease_host: string | null;
  readonly lease_since: Date | null;
  readonly lease_expires_at: Date | null;
  readonly lease_left_us: number | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly activated_at: Date | null;
  readonly deprovisioned_at: Date | null;
}

export function toTenant(row: TenantRow): Tenant {
  return {
    id: row.id as TenantId,
    labels: fromJson(row.labels),
    cluster: row.cluster,
    driver: row.driver as DriverName,
    name: row.name,
    status: row.status as TenantStatus,
    incarnation: row.incarnation,
    isProtected: row.is_protected === 1,
    schemaVersion: row.schema_version,
    migrationsHash: row.migrations_hash,
    credentialRef: row.credential_ref,
    lastError: fromJsonOrNull<TenantFailure>(row.last_error),
    operation: fromJsonOrNull<TenantOperation>(row.operation),
    homeOperationId: row.home_operation_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    activatedAt: row.activated_at,
    deprovisionedAt: row.deprovisioned_at,
    lease:
      row.lease_owner === null
        ? null
        : {
            owner: row.lease_owner,
            host: row.lease_host ?? '',
            since: row.lease_since ?? new Date(0),
            expiresAt: row.lease_expires_at ?? new Date(0),
            isExpired: (row.lease_left_us ?? 0) <= 0,
          },
    fence: row.fence,
  };
}
