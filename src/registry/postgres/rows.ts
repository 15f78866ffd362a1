import type { Tenant } from '../../tenant.js';
import type { Reading } from '../rows.js';
import { type TenantRow as AnyTenantRow, toTenant as toAnyTenant } from '../tenant-row.js';

/** Times are asked for as milliseconds since 1970; JSON is parsed already. */
export const READING: Reading<number, unknown> = { toDate, fromJson: <T>(json: unknown) => json as T };

/** A timestamp as milliseconds since 1970: the same in every DateStyle and time zone. */
export function selectMs(column: string, name: string): string {
  return `(extract(epoch FROM ${column}) * 1000)::float8 AS ${name}`;
}

export function toDate(ms: number): Date {
  return new Date(ms);
}

/** The columns of `TenantRow`, of a relation that goes by the name `t`. */
export const TENANT_COLUMNS = [
  't.id, t.incarnation, t.status, t.cluster, t.driver, t.name, t.labels, t.is_protected, t.schema_version, t.migrations_hash',
  't.credential_ref, t.login, t.last_error, t.operation, t.home_operation_id, t.fence, t.lease_owner, t.lease_host',
  't.lease_expires_at <= clock_timestamp() AS lease_is_expired',
  selectMs('t.created_at', 'created_at'),
  selectMs('t.updated_at', 'updated_at'),
  selectMs('t.activated_at', 'activated_at'),
  selectMs('t.deprovisioned_at', 'deprovisioned_at'),
  selectMs('t.retained_until', 'retained_until'),
  't.retained_until <= clock_timestamp() AS retention_is_over',
  selectMs('t.lease_since', 'lease_since'),
  selectMs('t.lease_expires_at', 'lease_expires_at'),
].join(', ');

export type TenantRow = AnyTenantRow<number, unknown>;

export function toTenant(row: TenantRow): Tenant {
  return toAnyTenant(row, READING);
}
