import type { DriverName, Tenant, TenantFailure, TenantId, TenantOperation, TenantStatus } from '../../tenant.js';
import type { Row } from './connection.js';

/** A timestamp as milliseconds since 1970: the same in every DateStyle and time zone. */
export function selectMs(column: string, name: string): string {
  return `(extract(epoch FROM ${column}) * 1000)::float8 AS ${name}`;
}

export function toDate(ms: number): Date {
  return new Date(ms);
}

export function toDateOrNull(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

/** The columns of `TenantRow`, of a relation that goes by the name `t`. */
export const TENANT_COLUMNS = [
  't.id, t.incarnation, t.status, t.cluster, t.driver, t.name, t.labels, t.is_protected, t.schema_version, t.migrations_hash',
  't.credential_ref, t.last_error, t.operation, t.home_operation_id, t.fence, t.lease_owner, t.lease_host',
  't.lease_expires_at <= clock_timestamp() AS lease_is_expired',
  selectMs('t.created_at', 'created_at'),
  selectMs('t.updated_at', 'updated_at'),
  selectMs('t.activated_at', 'activated_at'),
  selectMs('t.deprovisioned_at', 'deprovisioned_at'),
  selectMs('t.lease_since', 'lease_since'),
  selectMs('t.lease_expires_at', 'lease_expires_at'),
].join(', ');

export interface TenantRow extends Row {
  readonly id: string;
  readonly incarnation: number;
  readonly status: string;
  readonly cluster: string;
  readonly driver: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly is_protected: boolean;
  readonly schema_version: string | null;
  readonly migrations_hash: string | null;
  readonly credential_ref: string | null;
  readonly last_error: TenantFailure | null;
  readonly operation: TenantOperation | null;
  readonly home_operation_id: string;
  readonly fence: number;
  readonly lease_owner: string | null;
  readonly lease_host: string | null;
  readonly lease_is_expired: boolean | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly activated_at: number | null;
  readonly deprovisioned_at: number | null;
  readonly lease_since: number | null;
  readonly lease_expires_at: number | null;
}

export function toTenant(row: TenantRow): Tenant {
  return {
    id: row.id as TenantId,
    labels: row.labels,
    cluster: row.cluster,
    driver: row.driver as DriverName,
    name: row.name,
    status: row.status as TenantStatus,
    incarnation: row.incarnation,
    isProtected: row.is_protected,
    schemaVersion: row.schema_version,
    migrationsHash: row.migrations_hash,
    credentialRef: row.credential_ref,
    lastError: row.last_error,
    operation: row.operation,
    homeOperationId: row.home_operation_id,
    createdAt: toDate(row.created_at),
    updatedAt: toDate(row.updated_at),
    activatedAt: toDateOrNull(row.activated_at),
    deprovisionedAt: toDateOrNull(row.deprovisioned_at),
    lease:
      row.lease_owner === null
        ? null
        : {
            owner: row.lease_owner,
            host: row.lease_host ?? '',
            since: toDate(row.lease_since ?? 0),
            expiresAt: toDate(row.lease_expires_at ?? 0),
            isExpired: row.lease_is_expired ?? true,
          },
    fence: row.fence,
  };
}
