import type { Tenant } from '../../tenant.js';
import type { Reading } from '../rows.js';
import { type TenantRow as AnyTenantRow, toTenant as toAnyTenant } from '../tenant-row.js';
import { fromJson } from './json.js';

/** Times are UTC, and come as dates. */
export const READING: Reading<Date, string> = { toDate: (time) => time, fromJson };

/** The columns of `TenantRow`, of a table that goes by the name `t`. */
export const TENANT_COLUMNS = [
  't.id, t.incarnation, t.status, t.cluster, t.driver, t.name, t.labels, t.is_protected, t.schema_version, t.migrations_hash',
  't.credential_ref, t.login, t.last_error, t.operation, t.home_operation_id, t.change_id, t.fence, t.lease_owner, t.lease_host, t.lease_since',
  't.lease_expires_at, t.created_at, t.updated_at, t.activated_at, t.deprovisioned_at, t.retained_until',
  't.retained_until <= UTC_TIMESTAMP(6) AS retention_is_over',
  't.lease_expires_at <= UTC_TIMESTAMP(6) AS lease_is_expired',
  'TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), t.lease_expires_at) AS lease_left_us',
].join(', ');

export interface TenantRow extends AnyTenantRow<Date, string> {
  readonly change_id: string | null;
  /** Microseconds. */
  readonly lease_left_us: number | null;
}

export function toTenant(row: TenantRow): Tenant {
  return toAnyTenant(row, READING);
}
