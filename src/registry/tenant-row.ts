import type { DriverName, Tenant, TenantFailure, TenantId, TenantLogin, TenantOperation, TenantStatus } from '../tenant.js';
import { orNull, type Reading, type Row } from './rows.js';

export interface TenantRow<Time, Json> extends Row {
  readonly id: string;
  readonly incarnation: number;
  readonly status: string;
  readonly cluster: string;
  readonly driver: string;
  readonly name: string;
  readonly labels: Json;
  readonly is_protected: boolean | number;
  readonly schema_version: string | null;
  readonly migrations_hash: string | null;
  readonly credential_ref: string | null;
  readonly login: Json | null;
  readonly last_error: Json | null;
  readonly operation: Json | null;
  readonly home_operation_id: string;
  readonly fence: number;
  readonly lease_owner: string | null;
  readonly lease_host: string | null;
  readonly lease_since: Time | null;
  readonly lease_expires_at: Time | null;
  /** By the server's clock. */
  readonly lease_is_expired: boolean | number | null;
  readonly created_at: Time;
  readonly updated_at: Time;
  readonly activated_at: Time | null;
  readonly deprovisioned_at: Time | null;
  readonly retained_until: Time | null;
  /** By the server's clock. */
  readonly retention_is_over: boolean | number | null;
}

export function toTenant<Time, Json>(row: TenantRow<Time, Json>, { toDate, fromJson }: Reading<Time, Json>): Tenant {
  return {
    id: row.id as TenantId,
    labels: fromJson(row.labels),
    cluster: row.cluster,
    driver: row.driver as DriverName,
    name: row.name,
    status: row.status as TenantStatus,
    incarnation: row.incarnation,
    isProtected: Boolean(row.is_protected),
    schemaVersion: row.schema_version,
    migrationsHash: row.migrations_hash,
    credentialRef: row.credential_ref,
    login: orNull(row.login, (login) => fromJson<TenantLogin>(login)),
    lastError: orNull(row.last_error, (failure) => fromJson<TenantFailure>(failure)),
    operation: orNull(row.operation, (operation) => fromJson<TenantOperation>(operation)),
    homeOperationId: row.home_operation_id,
    createdAt: toDate(row.created_at),
    updatedAt: toDate(row.updated_at),
    activatedAt: orNull(row.activated_at, toDate),
    deprovisionedAt: orNull(row.deprovisioned_at, toDate),
    retainedUntil: orNull(row.retained_until, toDate),
    isRetentionOver: Boolean(row.retention_is_over),
    lease:
      row.lease_owner === null
        ? null
        : {
            owner: row.lease_owner,
            host: row.lease_host ?? '',
            since: orNull(row.lease_since, toDate) ?? new Date(0),
            expiresAt: orNull(row.lease_expires_at, toDate) ?? new Date(0),
            isExpired: Boolean(row.lease_is_expired ?? true),
          },
    fence: row.fence,
  };
}
